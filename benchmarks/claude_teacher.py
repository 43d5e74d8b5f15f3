"""Claude as the teacher, against a stand-in that knows the gold intents: how good tags get, and what they cost.

    python -m benchmarks.claude_teacher [--parts labels money turns] [--sets banking77 clinc150]

Every row is one `intent-assets run` with INTENT_TEACHER=anthropic on the rows of a set as traces of ten days, in a fresh store, with all
defaults but the number of labels and the length of names. The server (intent_assets_tests/loopback) counts tokens by the vendor's rules,
prompt cache included; its answers are gold intents, or wrong for a share of the texts: at random, or in favour of an intent with similar
words. The strong model errs on the same texts unless the row says otherwise. `correct`: share of all traces whose tag has the gold
intent's name; `named`: the same when a found intent goes by its most frequent gold intent. Dollars are what the server billed at the
prices of prices.yaml, beside what the assets expected.

- labels: BANKING77 and CLINC150 (in scope), a teacher that is perfect, and one with every tenth label wrong.
- money: 100,000 short traces, 2,000 labels: the texts of BANKING77 with everyday openings and endings, so that all differ. Beside it what
  the notebook of TnT-LLM does: a summary for each of 1,000 traces, minibatches of 200 that each write the whole taxonomy anew, and a call
  for each label.
- turns: dialogues of SGD, nearly all summarised by the model from both sides, and by the user's own words; gold is the first intent.
"""

import itertools
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.claude_notebook import notebook_usd
from benchmarks.data_sets import OUT_OF_SCOPE, options, read_set
from benchmarks.end_to_end import COMMAND, measured, ours_in
from benchmarks.results import Row, save, show
from intent_assets.adapters.store import open_store
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.ledger_rows import run_rows, spending_rows
from intent_assets.tables import TAGGED_TRACES
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_prompts import normalised

N_LABELS = {"banking77": 1_000, "clinc150": 1_500}
N_DAYS = 10
SUMMARISED_OVER = 100  # characters of the user's turns: all but the shortest dialogues
NAMES = {"INTENT_NAME_WORDS": "9"}  # gold names are that long, and the oracle calls intents by them
COLUMNS = (
    "what", "set", "teacher", "n_traces", "n_labels", "n_intents", "gold_intents", "coverage", "correct", "named", "usd", "expected_usd",
    "usd_per_1000_labels", "n_requests", "cached_share", "seconds", "peak_gb",
)  # fmt: skip
OPENINGS = ("", "hi, ", "hello! ", "hey there, ", "quick question: ", "good morning, ", "excuse me, ", "so, ")
ENDINGS = ("", " thanks", " please", " thank you!", " asap", " can you help?", " cheers", " many thanks in advance", " any idea?")


@dataclass(frozen=True)
class Erring:
    """How a teacher errs: `strong` is the error rate of the strong model."""

    name: str
    rate: float
    style: str = "random"
    strong: float | None = None


PERFECT = Erring("perfect", 0.0)
TEACHERS = (
    PERFECT,
    Erring("10 % random", 0.1),
    Erring("10 % confusable", 0.1, "confusable"),
    Erring("10 % random, strong model 2 %", 0.1, strong=0.02),
)


@dataclass(frozen=True)
class Traffic:
    """Traces with their gold intents: input as the application logged it, and the text that the oracle knows it by."""

    name: str
    inputs: Sequence[object]
    texts: Sequence[str]
    gold: Sequence[str]

    def write(self, file: Path) -> None:
        """As JSON lines over N_DAYS days."""
        first = datetime(2026, 9, 1, tzinfo=UTC)
        with file.open("w", encoding="utf-8") as out:
            for number, said in enumerate(self.inputs):
                at = first + timedelta(seconds=number * N_DAYS * 86_400 / len(self.inputs))
                out.write(json.dumps({"id": f"t{number}", "timestamp": at.isoformat(), "input": said}) + "\n")


def of_set(name: str, data: Path, cache: Path) -> Traffic:
    """The in-scope rows of a set, in random order."""
    rows = read_set(name, data, cache)
    order = [row for row in range(len(rows)) if rows.gold[row] != OUT_OF_SCOPE]
    random.Random(0).shuffle(order)
    texts = [rows.texts[row] for row in order]
    return Traffic(name, texts, texts, [str(rows.gold[row]) for row in order])


def many(n_traces: int, data: Path, cache: Path) -> Traffic:
    """Texts of BANKING77 with openings and endings, all different."""
    base = of_set("banking77", data, cache)
    frames = [(a, b) for a, b in itertools.product(OPENINGS, ENDINGS)]
    random.Random(1).shuffle(frames)
    made = {
        f"{a}{text}{b}": gold for a, b in frames for text, gold in zip(base.texts, base.gold, strict=True)
    }  # frame by frame: the first 13,083 have one frame
    chosen = random.Random(2).sample(sorted(made), n_traces)
    return Traffic("banking77, framed", chosen, chosen, [made[text] for text in chosen])


def dialogues(data: Path, cache: Path) -> Traffic:
    """SGD with both sides of each dialogue."""
    import gzip

    base = read_set("sgd", data, cache)
    with gzip.open(data / "sgd.jsonl.gz", "rt", encoding="utf-8") as lines:
        messages = [json.loads(line)["messages"] for line in lines]
    texts = ["\n".join(m["content"] for m in turns if m["role"] == "user") for turns in messages]
    return Traffic("sgd", [{"messages": turns} for turns in messages], texts, [str(gold) for gold in base.gold])


def run(what: str, traffic: Traffic, erring: Erring, n_labels: int, cache: Path, **settings: str) -> tuple[Row, list[Row]]:
    """One run of the whole pipeline, judged; and where its money went."""
    gold = dict(zip(traffic.texts, traffic.gold, strict=True))
    strong = {"claude-sonnet-5-5": erring.strong} if erring.strong is not None else {}
    oracle = OracleTeacher(gold, erring.rate, style=erring.style, error_rate_of=strong)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as name, AnthropicStandIn(oracle) as server:
        folder = Path(name)
        traffic.write(folder / "traces.jsonl")
        told = {"INTENT_TEACHER": "anthropic", "INTENT_N_LABELS": str(n_labels), **NAMES, **settings, **server.env}
        environment = {**ours_in(folder, cache), **told}
        found = measured([COMMAND, "run", "--source", f"files:{folder / 'traces.jsonl'}", "--store", str(folder / "store")], environment)
        about = {"what": what, "set": traffic.name, "teacher": erring.name, "n_traces": len(traffic.texts), "n_labels": n_labels}
        row = {**about, **judged(str(folder / "store"), traffic), **billed(server, str(folder / "store"), n_labels), **found}
        return row, [{**about, **place} for place in places(str(folder / "store"))]


def judged(store: str, traffic: Traffic) -> Row:
    """Tags against gold."""
    tables = open_store(store, "UTC").tables
    tags = {
        row["trace_id"]: row["intent"]
        for day in tables.days(TAGGED_TRACES)
        for row in tables.read(TAGGED_TRACES, day, ["trace_id", "intent"]).to_pylist()
    }
    found = [tags.get(f"t{number}") for number in range(len(traffic.gold))]
    gold = [normalised(name) for name in traffic.gold]
    usual = {name: Counter(g for g, f in zip(gold, found, strict=True) if f == name).most_common(1)[0][0] for name in set(found) if name}
    n = len(gold)
    return {
        "n_intents": len(usual),
        "gold_intents": len(set(gold)),
        "coverage": sum(f is not None for f in found) / n,
        "correct": sum(f is not None and normalised(f) == g for f, g in zip(found, gold, strict=True)) / n,
        "named": sum(f is not None and usual[f] == g for f, g in zip(found, gold, strict=True)) / n,
    }


def billed(server: AnthropicStandIn, store: str, n_labels: int) -> Row:
    """What the server billed beside what was expected."""
    ledger = read_ledger(open_store(store, "UTC").artifacts)
    rows = run_rows(ledger, datetime.now(UTC))
    labels = sum(row.usd for row in spending_rows(ledger, datetime.now(UTC)) if row.asset == "llm_labels")
    return {
        "usd": server.cost_usd(),
        "expected_usd": sum(row.estimated_usd or 0.0 for row in rows if row.asset is not None),
        "booked_usd": sum(row.actual_usd for row in rows if row.asset is not None),
        "usd_per_1000_labels": 1_000 * labels / n_labels,
        "n_requests": len(server.billed),
        "cached_share": cached_share(server),
    }


def cached_share(server: AnthropicStandIn) -> float | None:
    """Of all tokens that could have come from the cache, those that did: reads over reads and all writes but each prefix's first."""
    reads, writes, first = 0, 0, set()
    for record in server.billed:
        reads += record.cache_read_tokens
        written = record.cache_write_5m_tokens + record.cache_write_1h_tokens
        if written and (record.model, written) in first:
            writes += written
        first.add((record.model, written))
    return reads / (reads + writes) if reads + writes else None


def places(store: str) -> list[Row]:
    """Where the money went."""
    ledger = read_ledger(open_store(store, "UTC").artifacts)
    rows = spending_rows(ledger, datetime.now(UTC))
    return [{"asset": row.asset, "model": row.model, "usd": row.usd, "n_calls": row.n_calls, "n_tokens": row.n_tokens} for row in rows]


def labels(sets: Iterable[str], data: Path, cache: Path) -> list[Row]:
    return [run("labels", of_set(name, data, cache), erring, N_LABELS[name], cache)[0] for name in sets for erring in TEACHERS]


def money(n_traces: int, data: Path, cache: Path) -> tuple[list[Row], list[Row]]:
    traffic = many(n_traces, data, cache)
    row, where = run("money", traffic, PERFECT, 2_000, cache)
    theirs = notebook_usd(dict(zip(traffic.texts, traffic.gold, strict=True)), n_traces=1_000, n_labels=1_000)
    about: Mapping[str, object] = {
        "what": "money",
        "set": traffic.name,
        "teacher": "the notebook's way, its sample alone",
        "n_labels": 1_000,
    }
    return [row, {**about, **theirs}], where


def turns(data: Path, cache: Path) -> list[Row]:
    traffic = dialogues(data, cache)
    rows = []
    over = {"INTENT_SUMMARY_OVER_CHARS": str(SUMMARISED_OVER)}
    for what, settings in (("summaries by the model", over), ("the user's own words", {"INTENT_SUMMARIES": "extractive"})):
        rows.append(run(what, traffic, PERFECT, 1_000, cache, **settings)[0])
    return rows


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--parts", nargs="+", default=["labels", "money", "turns"])
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150"])
    parser.add_argument("--traces", type=int, default=100_000, help="of the part `money`")
    given = parser.parse_args()
    rows: list[Row] = []
    where: list[Row] = []
    if "labels" in given.parts:
        rows += labels(given.sets, given.data, given.cache)
    if "money" in given.parts:
        ours, where = money(given.traces, given.data, given.cache)
        rows += ours
    if "turns" in given.parts:
        rows += turns(given.data, given.cache)
    show("Claude as the teacher", rows, COLUMNS)
    if where:
        show("Where the money goes", where, ("asset", "model", "usd", "n_calls", "n_tokens"))
    print(save(given.out, "claude_teacher", [*rows, *({**row, "what": "where"} for row in where)], counted=__doc__))


if __name__ == "__main__":
    main()
