"""Assemble the bundled sample (traces.jsonl and gold.csv) from the authored messages. Same seed, same bytes."""

import csv
import io
import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SEED = 20240611
HERE = Path(__file__).resolve().parent
MESSAGES = HERE / "messages"
SAMPLES = HERE.parent.parent / "intent_assets" / "samples"

DAYS = tuple(range(-14, 0))
DAY_SHAPE = (1.05, 1.0, 0.98, 1.02, 1.1, 0.72, 0.68) * 2
HOUR_SHAPE = (2, 1, 1, 1, 1, 3, 6, 12, 18, 22, 24, 22, 20, 20, 19, 18, 18, 20, 22, 22, 20, 15, 9, 5)
STRIKE_FROM_DAY = 10
GROWING = "flight_delay_compensation"
BEGINS_LATE = "airport_strike"
SLOW = "itinerary_planning"
UNHAPPY = {
    "refund_status", "double_charge", "app_crash", "promo_code_not_working", "lost_baggage", "human_agent",
    "complaint_about_assistant", "hotel_room_complaint", "payment_declined", "login_problem",
}  # fmt: skip
USERS = {"en": 360, "de": 24, "es": 22}
ERRORS = (
    "RateLimitError: the model endpoint answered 429, three attempts made",
    "TimeoutError: no answer from the model within 30 s",
    "ToolError: booking service unavailable (503)",
)
SYSTEM_PROMPTS = (
    "You are Kestrel, the in-app assistant of an online travel company. Be brief and friendly. Never invent prices or bookings.",
    "You are Kestrel. Help travellers with flights, hotels, trains, cars, payments and their account. Answer in the user's language.",
)


@dataclass(frozen=True)
class Item:
    """One authored user message or conversation. `kind` is its section: en, de, es, pii, inj or chats."""

    intent: str
    kind: str
    lang: str
    turns: tuple[tuple[str, str], ...]


@dataclass
class Library:
    """All that was authored: the items, and the replies by (intent, language)."""

    items: list[Item] = field(default_factory=list)
    replies: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def replies_for(self, intent: str, lang: str) -> list[str]:
        """Return the intent's replies in the language; German and Spanish fall back to the general ones."""
        return self.replies.get((intent, lang)) or self.replies[("_any", lang)]


def parse_chats(intent: str, lang: str, lines: list[str]) -> list[Item]:
    """Read conversations: `>` the user, `<` the assistant, a blank line between two."""
    items: list[Item] = []
    turns: list[tuple[str, str]] = []
    for line in [*lines, ""]:
        if line.strip():
            turns.append(("user" if line[0] == ">" else "assistant", line[2:].strip()))
        elif turns:
            items.append(Item(intent, "chats", lang, tuple(turns)))
            turns = []
    return items


def add_section(library: Library, intent: str, section: str, lines: list[str]) -> None:
    """Put one section of one intent into the library."""
    kind, _, lang = section.partition(" ")
    texts = [line.strip() for line in lines if line.strip()]
    if kind == "replies":
        library.replies[(intent, lang or "en")] += texts
    elif kind == "chats":
        library.items += parse_chats(intent, lang or "en", lines)
    else:
        own = kind if kind in ("de", "es") else "en"
        library.items += [Item(intent, kind, own, (("user", text),)) for text in texts]


def load_library(folder: Path = MESSAGES) -> Library:
    """Read every message file in name order."""
    library = Library()
    for path in sorted(folder.glob("[0-9]*.txt")):
        intent, section = "", ""
        lines: list[str] = []
        for line in [*path.read_text(encoding="utf-8").splitlines(), "@ end"]:
            if line.startswith(("@ ", "# ")):
                if section:
                    add_section(library, intent, section, lines)
                intent, section, lines = (line[2:], "", []) if line[0] == "@" else (intent, line[2:], [])
            else:
                lines.append(line)
    return library


def day_weights(intent: str) -> list[float]:
    """Weights of the 14 days for an intent: flat with a week's shape, growing, or from day 10 on."""
    if intent == BEGINS_LATE:
        rise = (0.6, 1.2, 1.5, 1.2, 0.9)
        return [0.0] * (STRIKE_FROM_DAY - 1) + list(rise)
    if intent == GROWING:
        return [shape * (0.2 + 0.25 * i) for i, shape in enumerate(DAY_SHAPE)]
    return list(DAY_SHAPE)


def make_users(rng: random.Random) -> dict[str, tuple[list[str], list[float]]]:
    """Return user ids and how often each comes back, by language."""
    pools: dict[str, tuple[list[str], list[float]]] = {}
    for lang, n in USERS.items():
        ids = [f"u_{rng.getrandbits(32):08x}" for _ in range(n)]
        pools[lang] = (ids, [rng.lognormvariate(0.0, 0.6) for _ in ids])
    return pools


def clock(seconds: int) -> str:
    """Return seconds of the day as HH:MM:SS, kept within the day."""
    seconds = min(seconds, 86_399)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def schedule(items: Iterable[Item], rng: random.Random) -> list[dict[str, Any]]:
    """Give every item a day, a time, a user and a session; a user's traces of one day share a session."""
    pools = make_users(rng)
    visits: dict[tuple[str, int], tuple[str, int]] = {}
    rows: list[dict[str, Any]] = []
    for item in items:
        day = rng.choices(DAYS, day_weights(item.intent))[0]
        user = rng.choices(*pools[item.lang])[0]
        start = rng.choices(range(24), HOUR_SHAPE)[0] * 3600 + rng.randrange(3600)
        session, last = visits.get((user, day), (f"s_{rng.getrandbits(48):012x}", start - 40))
        now = last + rng.randrange(40, 400)
        visits[(user, day)] = (session, now)
        anonymous = int(user[2:], 16) % 17 == 0
        rows.append({"item": item, "day_offset": day, "time": clock(now), "user_id": None if anonymous else user, "session_id": session})
    return sorted(rows, key=lambda row: (row["day_offset"], row["time"], row["session_id"]))


def shape_messages(turns: list[dict[str, str]], rng: random.Random) -> dict[str, Any]:
    """Chat messages, with the system prompt in two of five."""
    system = [{"role": "system", "content": rng.choice(SYSTEM_PROMPTS)}] if rng.random() < 0.4 else []
    return {"messages": [*system, *turns]}


def shape_parts(turns: list[dict[str, str]]) -> dict[str, Any]:
    """Chat messages whose contents are lists of typed parts."""
    return {"messages": [{"role": t["role"], "content": [{"type": "text", "text": t["content"]}]} for t in turns]}


def shape_trace(item: Item, reply: str, rng: random.Random) -> tuple[str, Any, Any]:
    """Return name, input and output in one of the shapes that applications use."""
    turns = [{"role": role, "content": text} for role, text in item.turns]
    last, draw = turns[-1]["content"], rng.random()
    message = {"role": "assistant", "content": reply}
    if draw < 0.62:
        return "kestrel-chat", shape_messages(turns, rng), message if rng.random() < 0.8 else {"choices": [{"message": message}]}
    if draw < 0.76:
        return "kestrel-help-search", {"question": last, "chat_history": turns[:-1]}, {"answer": reply}
    if draw < 0.86 or len(turns) > 1:
        return "kestrel-vision", shape_parts(turns), message
    if draw < 0.93:
        return "kestrel-widget", {"message": last}, reply
    return "kestrel-voice", last, reply


def measures(item: Item, n_chars: int, rng: random.Random) -> dict[str, Any]:
    """Latency, tokens and cost. Planning a journey takes notably longer; about one trace in sixty is very slow."""
    slow = item.intent == SLOW
    latency = rng.lognormvariate(math.log(6200 if slow else 1350), 0.45) * (7 if rng.random() < 0.016 else 1)
    tokens = 140 + n_chars // 4 + (rng.randrange(400, 900) if slow else rng.randrange(20, 160))
    return {"latency_ms": round(latency), "cost_usd": round(tokens * 2.4e-6 + 4e-5, 6), "n_tokens": tokens}


def circumstances(day: int, rng: random.Random) -> dict[str, Any]:
    """Environment, release, prompt version and tags."""
    channel = rng.choices(("ios", "android", "web"), (40, 35, 25))[0]
    tags = [channel, *(["beta-ring"] if rng.random() < 0.06 else []), *(["member"] if rng.random() < 0.22 else [])]
    return {
        "environment": "staging" if rng.random() < 0.03 else "production",
        "release": "5.2.3" if day < -8 else rng.choices(("5.3.0", "5.2.3"), (9, 1))[0],
        "version": "prompt-17" if day < -5 else "prompt-18",
        "tags": tags,
        "metadata": {"device": {"ios": "phone", "android": "phone", "web": "desktop"}[channel]} if rng.random() < 0.3 else {},
    }


def scores(item: Item, rng: random.Random) -> dict[str, int]:
    """Thumbs up or down from about 15 % of the users, less kind where things went wrong."""
    if rng.random() >= 0.15:
        return {}
    return {"user_feedback": int(rng.random() < (0.35 if item.intent in UNHAPPY else 0.84))}


def make_trace(row: dict[str, Any], library: Library, rng: random.Random) -> dict[str, Any]:
    """Turn one scheduled row into a trace as the sample file holds it."""
    item: Item = row["item"]
    reply = rng.choice(library.replies_for(item.intent, item.lang))
    error = rng.choice(ERRORS) if rng.random() < 0.011 else None
    name, given, output = shape_trace(item, reply, rng)
    n_chars = sum(len(text) for _, text in item.turns) + len(reply)
    facts = {**measures(item, n_chars, rng), **circumstances(row["day_offset"], rng)}
    trace = {"id": f"{rng.getrandbits(128):032x}", "day_offset": row["day_offset"], "time": row["time"], "input": given}
    trace |= {"output": None if error else output, "name": name, "session_id": row["session_id"], "user_id": row["user_id"]}
    return trace | facts | {"scores": {} if error else scores(item, rng), "error": error}


def build(library: Library) -> tuple[str, str]:
    """Return the texts of traces.jsonl and gold.csv."""
    rng = random.Random(SEED)
    items = list(library.items)
    rng.shuffle(items)
    rows = schedule(items, rng)
    traces = [make_trace(row, library, rng) for row in rows]
    lines = "".join(json.dumps(trace, ensure_ascii=False, separators=(",", ":")) + "\n" for trace in traces)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("trace_id", "intent"))
    writer.writerows(sorted((trace["id"], row["item"].intent) for trace, row in zip(traces, rows, strict=True)))
    return lines, table.getvalue()


def main() -> None:
    """Rewrite the two files of the sample."""
    library = load_library()
    traces, gold = build(library)
    SAMPLES.mkdir(parents=True, exist_ok=True)
    (SAMPLES / "traces.jsonl").write_text(traces, encoding="utf-8", newline="\n")
    (SAMPLES / "gold.csv").write_text(gold, encoding="utf-8", newline="\n")
    print(f"{traces.count(chr(10))} traces, {len(traces.encode()) / 1e6:.2f} MB, {len({i.intent for i in library.items})} intents")


if __name__ == "__main__":
    main()
