"""Which tables of the documentation show what was measured of trace stores, the hosted teacher and redaction."""

from benchmarks.docs_kinds import SETS, Column, Table

PLANTED = ("planted", "recall", "marks", "precision")
SECONDS, PEAK = Column("seconds", "seconds", 1), Column("peak_gb", "peak memory, GB", 2)
HALF = Column("half", "templates and forms", words={"build": "patterns mended on these", "held_out": "held out"})
FOUND = (Column("kind", "kind"), *(Column(key, key, 3 if key in ("recall", "precision") else 0) for key in PLANTED))
SET_NAME = Column("set", "set", words=SETS)
COVERAGE, CORRECT = Column("coverage", "coverage"), Column("correct", "correct")
TAUGHT = (
    Column("n_labels", "labels", 0),
    Column("teacher", "teacher"),
    Column("n_intents", "intents", 0),
    Column("gold_intents", "of the set", 0),
    COVERAGE,
    CORRECT,
)
PAID = (
    Column("usd", "$", 3),
    Column("expected_usd", "$ expected", 3),
    Column("usd_per_1000_labels", "$ per 1,000 labels", 3),
    Column("n_requests", "calls", 0),
    Column("cached_share", "prefixes from the cache", 3),
)

SERVICES: dict[str, Table] = {
    "live": Table(
        "live_langfuse",
        (
            Column("what", "what"),
            Column("n_traces", "traces", 0),
            Column("seconds", "seconds in all", 0),
            Column("read_s", "reading", 1),
            Column("write_s", "writing and reading back", 1),
            Column("n_requests", "requests", 0),
            PEAK,
            Column("n_faults", "faults", 0),
            Column("n_tagged", "tagged", 0),
            Column("n_scored", "scores there", 0),
            Column("n_wrong", "wrong", 0),
            Column("n_missing", "missing", 0),
            Column("n_written_again", "written by a second pass", 0),
            Column("median_s", "trace to score: median s", 1),
            Column("p95_s", "p95 s", 1),
        ),
    ),
    "claude, short": Table("claude_teacher", (SET_NAME, *TAUGHT), where={"what": ["labels"]}),
    "claude": Table("claude_teacher", (SET_NAME, *TAUGHT, *PAID), where={"what": ["labels"]}),
    "claude, money": Table(
        "claude_teacher",
        (Column("teacher", "how"), Column("n_traces", "traces", 0), COVERAGE, CORRECT, *PAID),
        where={"what": ["money"]},
    ),
    "claude, where": Table(
        "claude_teacher",
        (
            Column("asset", "asset"),
            Column("model", "model"),
            Column("usd", "$", 4),
            Column("n_calls", "calls", 0),
            Column("n_tokens", "tokens", 0),
        ),
        where={"what": ["where"]},
    ),
    "claude, turns": Table(
        "claude_teacher",
        (Column("what", "what is embedded and labelled"), Column("n_traces", "dialogues", 0), COVERAGE, CORRECT, *PAID),
        where={"what": ["summaries by the model", "the user's own words"]},
    ),
    "claude, faults": Table(
        "claude_faults",
        (
            Column("mode", "asked"),
            Column("n_items", "traces", 0),
            Column("n_faults", "faults", 0),
            Column("n_answered", "with a label", 0),
            Column("n_status", "with a status", 0),
            Column("n_lost", "lost", 0),
            Column("tokens_fault_free", "tokens, undisturbed", 0),
            Column("tokens", "tokens", 0),
            Column("tokens_faulty", "of faulty answers", 0),
            Column("tokens_killed", "lost in kills", 0),
            Column("times_fault_free", "times undisturbed"),
            Column("times_allowed", "times undisturbed + faulty"),
            Column("usd_billed", "$ billed", 4),
            Column("usd_booked", "$ booked", 4),
            Column("usd_unsettled", "$ never settled", 4),
            Column("n_sent_again", "sent by a last run", 0),
        ),
    ),
    "personal data": Table("personal_data", (HALF, *FOUND), where={"half": list(HALF.words)}),
    "personal data, speed": Table(
        "personal_data",
        (Column("texts", "texts"), Column("n_texts", "number", 0), Column("texts_per_s", "texts a second", 0)),
        without={"half": list(HALF.words)},
    ),
}
