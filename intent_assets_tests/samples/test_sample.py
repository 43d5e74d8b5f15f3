"""What the bundled sample promises, asserted over the authored messages and the two assembled files."""

import csv
import importlib.util
import json
import re
import sys
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SAMPLE_SOURCE = Path(__file__).resolve().parents[2] / "benchmarks" / "sample"
FIELDS = {
    "id", "day_offset", "time", "input", "output", "name", "session_id", "user_id", "latency_ms", "cost_usd", "n_tokens",
    "environment", "release", "version", "tags", "scores", "error", "metadata",
}  # fmt: skip
PII = re.compile(r"@example\.(?:com|org)|\d{3,4}[ -]\d{4}|\d{6,}|\b[A-Z]{1,2}\d{2}[A-Z\d ]{5,}|\+\d{2}")


@cache
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_sample", SAMPLE_SOURCE / "build_sample.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def items() -> list[Any]:
    return list(builder().load_library().items)


def singles() -> list[Any]:
    return [item for item in items() if len(item.turns) == 1]


@cache
def bundled(name: str) -> str:
    return (files("intent_assets") / "samples" / name).read_text(encoding="utf-8")


@cache
def traces() -> list[dict[str, Any]]:
    return [json.loads(line) for line in bundled("traces.jsonl").splitlines()]


@cache
def gold() -> dict[str, str]:
    return {row["trace_id"]: row["intent"] for row in csv.DictReader(bundled("gold.csv").splitlines())}


def user_texts(given: Any) -> list[str]:
    """The user's turns of an input, whichever shape it has."""
    if isinstance(given, str):
        return [given]
    if "question" in given:
        return [turn["content"] for turn in given["chat_history"] if turn["role"] == "user"] + [given["question"]]
    if "message" in given:
        return [given["message"]]
    contents = [m["content"] for m in given["messages"] if m["role"] == "user"]
    return [c if isinstance(c, str) else " ".join(part["text"] for part in c) for c in contents]


def bare_tokens(text: str, lang: str, places: set[str]) -> frozenset[str]:
    """The words that are left without numbers, place names and (but in German) capitalised words inside a sentence."""
    text = re.sub(r"\S*\d\S*", " ", text)
    if lang != "de":
        text = re.sub(r"(?<=[a-zà-ÿ,;] )[A-ZÀ-Þ][\w'-]*", " ", text)
    return frozenset(re.findall(r"[^\W\d_]+", text.lower())) - places


def test_files_are_what_the_assembler_writes() -> None:
    lines, table = builder().build(builder().load_library())
    assert lines == bundled("traces.jsonl")
    assert table == bundled("gold.csv")


def test_intents_and_their_sizes() -> None:
    sizes = sorted(Counter(item.intent for item in singles()).values(), reverse=True)
    assert len(sizes) >= 48
    assert all(90 <= size <= 130 for size in sizes[:5])
    assert sum(25 <= size <= 50 for size in sizes) >= 15
    assert sum(8 <= size <= 15 for size in sizes) >= 20
    assert sizes[-1] >= 8


def test_single_messages_are_distinct() -> None:
    texts = [item.turns[0][1] for item in singles()]
    assert len(texts) >= 1600
    assert len({text.casefold() for text in texts}) == len(texts)


def test_no_two_messages_differ_only_by_a_slot_value() -> None:
    places = set((SAMPLE_SOURCE / "messages" / "places.txt").read_text(encoding="utf-8").split())
    rows = [(bare_tokens(i.turns[0][1], i.lang, places), i.turns[0][1]) for i in singles()]
    rows = sorted((row for row in rows if row[0]), key=lambda row: len(row[0]))
    near = []
    for n, (tokens, text) in enumerate(rows):
        for other, other_text in rows[n + 1 :]:
            if len(tokens) <= 0.85 * len(other):
                break
            if len(tokens & other) > 0.85 * len(tokens | other):
                near.append((text, other_text))
    assert near == []


def test_every_intent_has_replies() -> None:
    library = builder().load_library()
    for intent in {item.intent for item in items()}:
        assert len(set(library.replies[(intent, "en")])) >= 4, intent


@pytest.mark.parametrize(("lang", "low", "high"), [("de", 0.04, 0.07), ("es", 0.04, 0.07)])
def test_share_of_languages(lang: str, low: float, high: float) -> None:
    own = [item for item in items() if item.lang == lang]
    assert low < len(own) / len(items()) < high
    assert len({item.intent for item in own}) >= 10


def test_share_of_conversations() -> None:
    turns = [sum(role == "user" for role, _ in item.turns) for item in items()]
    assert 0.11 < sum(n > 1 for n in turns) / len(turns) < 0.14
    assert max(turns) <= 4
    for item in items():
        assert [role for role, _ in item.turns] == (["user", "assistant"] * len(item.turns))[: len(item.turns)]
        assert item.turns[-1][0] == "user"


def test_share_of_out_of_scope_personal_data_and_injections() -> None:
    of_kind = Counter(item.kind for item in items())
    assert 0.03 < sum(item.intent == "out_of_scope" for item in items()) / len(items()) < 0.05
    assert 0.025 < of_kind["pii"] / len(items()) < 0.045
    assert of_kind["inj"] >= 20
    assert {item.intent == "out_of_scope" for item in items() if item.kind == "inj"} == {True, False}
    assert all(PII.search(item.turns[0][1]) for item in items() if item.kind == "pii")


def test_mail_addresses_are_at_example_domains() -> None:
    for item in items():
        for _, text in item.turns:
            assert all(host in ("example.com", "example.org") for host in re.findall(r"\w@([\w.-]+\w)", text))


def test_traces_have_the_promised_fields() -> None:
    assert len(bundled("traces.jsonl").encode()) < 2_500_000
    for trace in traces():
        assert set(trace) == FIELDS
        assert re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d", trace["time"])
        assert all(isinstance(value, int | float) for value in trace["scores"].values())
        assert trace["latency_ms"] > 0 and trace["cost_usd"] > 0 and trace["n_tokens"] > 0
        assert (trace["output"] is None) == (trace["error"] is not None)


def test_each_item_is_one_trace() -> None:
    authored = Counter(tuple(text for role, text in item.turns if role == "user") for item in items())
    assert Counter(tuple(user_texts(trace["input"])) for trace in traces()) == authored


def test_ids_are_unique_and_gold_is_complete() -> None:
    ids = [trace["id"] for trace in traces()]
    assert len(set(ids)) == len(ids)
    assert set(gold()) == set(ids)
    wanted = {tuple(text for role, text in item.turns if role == "user"): item.intent for item in items()}
    assert all(gold()[trace["id"]] == wanted[tuple(user_texts(trace["input"]))] for trace in traces())


def test_traces_do_not_tell_their_gold_intent() -> None:
    intents = set(gold().values())
    for trace in traces():
        facts = json.dumps({key: value for key, value in trace.items() if key not in ("input", "output")})
        assert not [intent for intent in intents if intent in facts]
        own = gold()[trace["id"]]
        assert "_" not in own or own not in json.dumps(trace)


def test_input_shapes_vary() -> None:
    shapes = Counter(type(t["input"]).__name__ if isinstance(t["input"], str) else min(t["input"]) for t in traces())
    assert set(shapes) == {"str", "chat_history", "message", "messages"}
    assert shapes.most_common(1)[0][0] == "messages"
    roles = {m["role"] for t in traces() if isinstance(t["input"], dict) for m in t["input"].get("messages", [])}
    assert roles == {"system", "user", "assistant"}


def test_all_fourteen_days_and_no_other() -> None:
    days = Counter(trace["day_offset"] for trace in traces())
    assert sorted(days) == list(range(-14, 0))
    assert min(days.values()) >= 60


def test_one_intent_begins_on_day_ten() -> None:
    days = {trace["day_offset"] for trace in traces() if gold()[trace["id"]] == "airport_strike"}
    assert min(days) == -5  # -14 is day 1


def test_one_intent_grows() -> None:
    days = [trace["day_offset"] for trace in traces() if gold()[trace["id"]] == "flight_delay_compensation"]
    assert sum(day >= -7 for day in days) >= 2 * sum(day < -7 for day in days)


def test_users_come_back() -> None:
    visits = Counter(trace["user_id"] for trace in traces() if trace["user_id"])
    assert 330 <= len(visits) <= 420
    assert sum(n > 1 for n in visits.values()) > 200


def test_errors_feedback_and_the_slow_intent() -> None:
    n = len(traces())
    assert 0.005 < sum(trace["error"] is not None for trace in traces()) / n < 0.02
    assert 0.11 < sum(bool(trace["scores"]) for trace in traces()) / n < 0.19
    slow = sorted(t["latency_ms"] for t in traces() if gold()[t["id"]] == "itinerary_planning")
    rest = sorted(t["latency_ms"] for t in traces() if gold()[t["id"]] != "itinerary_planning")
    assert slow[len(slow) // 2] > 3 * rest[len(rest) // 2]


def test_readme_states_the_measured_counts() -> None:
    text = bundled("README.md")
    n_chats = len(items()) - len(singles())
    assert f"{len(traces()):,} traces" in text
    assert f"{len(set(gold().values()))} intents" in text
    assert f"{len(singles()):,} single messages and {n_chats} conversations" in text
