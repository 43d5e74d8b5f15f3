"""Which table of the documentation shows what: the file of results, its rows, its columns and how they are rounded.

tables.py reads this list and writes the tables. Those of trace stores, the hosted teacher and redaction are in docs_services.py.
"""

from benchmarks.docs_kinds import SETS, Column, Line, Table
from benchmarks.docs_services import PEAK, SECONDS, SERVICES
from benchmarks.table_rows import beside, first_and_last, seeds, totals

__all__ = ["TABLES", "Column", "Line", "Table"]

OURS = "intent_assets"
RIVAL = "BERTopic, outliers reduced"
LINEAR = "logistic regression C=10"


DATASET, SET, METHOD = Column("dataset", "traces", words=SETS), Column("set", "set", words=SETS), Column("method", "method")
GROUPS = (
    Column("n_found", "found", 0),
    Column("coverage", "coverage"),
    Column("correct", "correct"),
    Column("one_to_one", "one-to-one"),
    Column("ari", "ARI"),
    Column("nmi", "NMI"),
    Column("ami", "AMI"),
)
SIZE = (DATASET, Column("n_traces", "number", 0), Column("n_gold", "their intents", 0))
HEAD = (METHOD, Column("accuracy", "accuracy", 4), Column("macro_f1", "macro-F1", 4), Column("ece", "ECE"))
BUDGET = (
    SET,
    Column("n_labels", "labels", 0),
    METHOD,
    Column("0.0 correct", "correct, teacher perfect"),
    Column("0.1 correct", "correct, 10 % of labels wrong"),
)
KEPT = ("kept", "k_before", "k_after", "k_gold", "ari_before", "ari_after")
CASES = ("expected", "visible", "reported", "reported_visible", "as_part_of_split")
ALARMS = ("new", "retired", "split", "merged")
FALSE_ALARMS = ("false alarms, other traffic", "false alarms, edited taxonomy")
NAMES = Column("distinct_names", "distinct names")

TABLES: dict[str, Table | tuple[Line, ...]] = {
    "discovery, short": Table(
        "discovery",
        (
            *SIZE,
            Column(f"{OURS} n_found", "found", 0),
            Column(f"{OURS} correct", "correct"),
            Column(f"{OURS} ari", "ARI"),
            Column(f"{RIVAL} n_found", "BERTopic: found", 0),
            Column(f"{RIVAL} correct", "BERTopic: correct"),
            Column(f"{RIVAL} ari", "BERTopic: ARI"),
        ),
        where={"case": ["all traces"], "method": [OURS, RIVAL]},
        make=beside("method", ("dataset", "n_traces", "n_gold")),
    ),
    "supervised, short": Table(
        "supervised",
        (
            SET,
            Column("task", "training rows"),
            Column(f"{OURS} accuracy", "accuracy"),
            Column(f"{OURS} ece", "ECE"),
            Column(f"{LINEAR} accuracy", "logistic regression: accuracy"),
            Column(f"{LINEAR} ece", "logistic regression: ECE"),
        ),
        where={"method": [OURS, LINEAR]},
        make=beside("method", ("set", "task")),
    ),
    "few-shot, short": Table(
        "few_shot",
        (
            SET,
            Column("shots", "rows per intent", 0),
            Column(f"{OURS} accuracy", "accuracy"),
            Column(f"{OURS}, with names accuracy", "with the intents' names"),
            Column(f"{LINEAR} accuracy", "logistic regression: accuracy"),
        ),
        where={"method": [OURS, f"{OURS}, with names", LINEAR]},
        make=beside("method", ("set", "shots")),
    ),
    "corrections, short": Table(
        "corrections_worth",
        (
            SET,
            Column("teacher", "the teacher's labels"),
            Column("errors_before", "errors before", 0),
            Column("random removed", "100 random corrections remove", 0),
            Column("chosen by the tool removed", "100 chosen ones remove", 0),
            Column("ratio", "ratio", 1),
        ),
    ),
    "label budget, short": Table(
        "label_budget",
        BUDGET,
        where={
            "set": ["banking77", "clinc150"],
            "method": [
                "random, logistic regression",
                "medoids + 2 margin rounds, logistic regression",
                "our selection, product classifier",
            ],
        },
        make=beside("wrong", ("set", "method", "n_labels")),
    ),
    "speed, short": (
        Line(
            "{n_traces:,} traces over {n_days} days, file to report",
            "end_to_end",
            {"what": "whole pipeline, file to report"},
            "{seconds:,.0f} s, peak memory of the process tree {peak_gb:.1f} GB",
        ),
        Line("100 new traces tagged, process start included", "end_to_end", {"what": "tagging new traces"}, "{seconds:.1f} s"),
        Line("`intent-assets predict`, from its second call", "end_to_end", {"what": "predict, second call"}, "{seconds:.1f} s"),
        Line(
            "embedding short texts, CPU with bf16 where it has it",
            "embedding_speed",
            {"embedder": "openvino auto"},
            "{texts_per_s:,} a second in {precision}, {times_encode:.1f} times `SentenceTransformer.encode`",
        ),
        Line("the same in f32", "embedding_speed", {"embedder": "openvino f32"}, "{times_encode:.1f} times `SentenceTransformer.encode`"),
        Line(
            "CLINC150, {n_traces:,} traces, file to tags",
            "cookbook_speed",
            {"part": "from file to tags", "method": OURS},
            "{seconds:,.0f} s, {times_cookbook:.1f} times as fast as the Langfuse cookbook's pipeline",
        ),
        Line(
            "the same, clustering alone",
            "cookbook_speed",
            {"part": "clustering alone", "method": OURS},
            "{seconds:,.0f} s, {times_cookbook:.1f} times as fast as its HDBSCAN",
        ),
        Line(
            "classifying, beside embedding the same traces",
            "cookbook_speed",
            {"part": "share", "method": "classifying"},
            "{share_of_embedding:.0%} of its seconds",
        ),
        Line(
            "{n_traces:,} stored traces tagged again by a new release",
            "retag_speed",
            {"stage": "retag"},
            "{seconds:,.0f} s, {peak_gb:.1f} GB",
        ),
    ),
    "discovery": Table("discovery", (*SIZE, METHOD, *GROUPS, NAMES, SECONDS), where={"case": ["all traces"]}),
    "discovery, sizes": Table(
        "discovery",
        (DATASET, Column("case", "part of it"), *SIZE[1:], *GROUPS[:1], Column("ratio", "found / theirs", 2), *GROUPS[1:], SECONDS),
        where={"method": [OURS]},
        without={"case": ["all traces"]},
    ),
    "label budget": Table(
        "label_budget",
        (
            *BUDGET,
            Column("0.0 unlabelled", "the unlabelled, teacher perfect"),
            Column("0.1 unlabelled", "the unlabelled, 10 % of labels wrong"),
            Column("0.0 selection_s", "choosing, s", 1),
        ),
        make=beside("wrong", ("set", "method", "n_labels")),
    ),
    "supervised": Table(
        "supervised",
        (SET, Column("task", "training rows"), *HEAD, Column("fit_s", "training, s", 1), Column("predict_us", "µs a text", 0)),
    ),
    "reuse": Table(
        "reuse",
        (
            Column("part", "labels"),
            SET,
            Column("n_labels", "labels learned", 0),
            Column("rule", "rule"),
            Column("cosine", "cosine from", 2),
            Column("share", "share of traces"),
            Column("right", "right"),
            Column("classifier", "classifier right there"),
            Column("overruled", "share overruled", 4),
            Column("right_overruling", "right where overruled"),
            Column("classifier_overruled", "classifier right where overruled"),
        ),
    ),
    "reuse, speed": Table(
        "reuse_speed",
        (Column("what", "what"), Column("n_labels", "labels", 0), Column("n_traces", "traces", 0), Column("seconds", "seconds", 2)),
    ),
    "corrections": Table(
        "corrections_worth",
        (
            SET,
            Column("teacher", "the teacher's labels"),
            Column("wrong_labels", "of them wrong", 2),
            Column("errors_before", "errors before", 0),
            Column("random removed", "removed: 100 random", 0),
            Column("least confident removed", "100 least confident", 0),
            Column("chosen by the tool removed", "100 chosen", 0),
            Column("ratio", "chosen / random", 1),
        ),
    ),
    "training speed": Table(
        "training_speed",
        (
            Column("rows", "labelled rows", 0),
            Column("intents", "intents", 0),
            Column("heads_tried", "heads compared", 0),
            Column("learn_s", "training, s", 0),
            Column("learn_cpu_s", "processor seconds", 0),
            Column("texts", "texts tagged", 0),
            Column("embed_s", "embedding them, s", 2),
            Column("predict_s", "classifying them, s", 2),
            Column("predict_share", "classifying / embedding", 3),
        ),
    ),
    "few-shot": Table("few_shot", (SET, Column("shots", "rows per intent", 0), *HEAD)),
    "out of scope": Table(
        "out_of_scope",
        (
            SET,
            METHOD,
            Column("auroc", "AUROC"),
            Column("oos_recall_at_97", "recall, 97 % kept"),
            Column("accuracy_at_97", "accuracy in scope, 97 % kept"),
        ),
    ),
    "continuity": Table(
        "continuity",
        (
            SET,
            Column("window", "relearned on"),
            METHOD,
            Column("kept", "share kept"),
            Column("k_before", "intents before", 0),
            Column("k_after", "after", 0),
            Column("k_gold", "theirs", 0),
            Column("ari_before", "ARI before"),
            Column("ari_after", "after"),
        ),
        where={"part": ["same traffic"]},
        make=seeds(("set", "window", "method"), KEPT),
    ),
    "continuity, cases": Table(
        "continuity",
        (
            Column("case", "case"),
            Column("expected", "constructed", 0),
            Column("visible", "visible", 0),
            Column("reported", "reported", 0),
            Column("reported_visible", "reported of the visible", 0),
            Column("as_part_of_split", "reported as part of a split", 0),
        ),
        where={"part": ["other traffic", "edited taxonomy"]},
        without={"case": FALSE_ALARMS},
        make=totals("case", CASES),
    ),
    "continuity, false alarms": Table(
        "continuity",
        (Column("case", "in the runs of"), *(Column(name, heading, 0) for name, heading in zip(ALARMS, ALARMS, strict=True))),
        where={"case": FALSE_ALARMS},
        make=totals("case", ALARMS),
    ),
    "continuity, six weeks": Table(
        "continuity",
        (
            SET,
            Column("window", "window"),
            Column("k_first", "intents, first", 0),
            Column("k_last", "last", 0),
            Column("ari_first", "ARI, first"),
            Column("ari_last", "last"),
            Column("kept_least", "least share kept in a week"),
        ),
        where={"part": ["six weeks"]},
        make=first_and_last,
    ),
    "volumes": Table(
        "volumes",
        (
            SET,
            Column("labels", "trained on"),
            Column("accuracy", "accuracy"),
            Column("traffic", "traffic"),
            METHOD,
            Column("error_all", "all", 1, " %"),
            Column("error_one", "one", 1, " %"),
            Column("ratio_all", "all / as counted", 2),
            Column("ratio_one", "one / as counted", 2),
            Column("cover_all", "cover, all", 2),
            Column("cover_one", "cover, one", 2),
        ),
    ),
    "embedding speed": Table(
        "embedding_speed",
        (
            Column("embedder", "embedder"),
            Column("precision", "precision"),
            Column("n_texts", "texts", 0),
            Column("seconds", "seconds", 2),
            Column("texts_per_s", "texts a second", 0),
            Column("times_encode", "times as fast", 2),
            Column("least_cosine", "least cosine", 5),
        ),
    ),
    "end to end": Table(
        "end_to_end", (Column("what", "what"), Column("n_traces", "traces", 0), Column("n_days", "days", 0), SECONDS, PEAK)
    ),
    "re-tag": Table(
        "retag_speed",
        (Column("stage", "stage"), Column("n_traces", "traces", 0), SECONDS, Column("us_per_trace", "µs a trace", 1), PEAK),
    ),
    "cookbook, clustering": Table(
        "cookbook_speed",
        (METHOD, SECONDS, Column("times_cookbook", "times as fast", 1), *GROUPS),
        where={"part": ["clustering alone"]},
    ),
    "cookbook, file to tags": Table(
        "cookbook_speed",
        (METHOD, SECONDS, Column("times_cookbook", "times as fast", 1), PEAK, *GROUPS),
        where={"part": ["from file to tags"]},
    ),
    "cookbook, share": Table(
        "cookbook_speed",
        (
            Column("method", "step"),
            Column("n_traces", "traces", 0),
            Column("seconds", "seconds", 2),
            Column("share_of_embedding", "share of embedding"),
        ),
        where={"part": ["share"]},
    ),
    **SERVICES,
}
