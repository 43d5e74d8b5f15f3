"""Small believable traffic with known intents: the same messages for the same arguments, on every machine."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DAYS = ("2025-06-02", "2025-06-03", "2025-06-04")

# Intent: how people begin, what about, how they end. The middle part tells the intents apart, also by spelling alone.
INTENTS: dict[str, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    "track_parcel": (
        ("Where is", "Can you track", "I still wait for", "Any news of"),
        ("my parcel delivery", "the parcel you shipped", "my parcel shipment", "the delivery of my parcel"),
        ("?", "from last week?", "shipped on Monday?", "to Leeds?", "tracking shows nothing."),
    ),
    "reset_password": (
        ("I forgot", "Please reset", "I cannot change", "How do I reset"),
        ("my account password", "the login password", "my password login", "password of my account"),
        ("?", "on the phone app.", "today.", "again please.", "it says invalid login."),
    ),
    "request_refund": (
        ("I want", "Please give me", "When do I get", "Still waiting for"),
        ("a refund of my money", "my money refunded", "the refund payment", "my refund money back"),
        (".", "for the broken lamp.", "it is overdue.", "as promised.", "to my card."),
    ),
    "change_booking": (
        ("Can I move", "Please change", "I need to reschedule", "Could you shift"),
        ("my hotel booking dates", "the hotel room booking", "our booking at the hotel", "hotel booking"),
        ("to Friday?", "to next week.", "by two days.", "to May?", "a day earlier."),
    ),
    "cancel_subscription": (
        ("Cancel", "I want to end", "Please stop", "How can I cancel"),
        ("my premium subscription plan", "the monthly subscription", "my subscription renewal", "premium plan subscription"),
        (".", "right now.", "before it renews.", "at the end of the month.", "without a fee."),
    ),
    "invoice_copy": (
        ("Send me", "I need", "Where do I find", "Could I have"),
        ("the invoice PDF document", "an invoice copy with VAT", "my tax invoice PDF", "invoice number and VAT"),
        (".", "for accounting.", "for October.", "with our address.", "by mail."),
    ),
    "weather_today": (
        ("Will it", "Does it", "Is it going to", "Tell me if it will"),
        ("rain in the weather forecast", "be sunny weather outside", "snow says the weather forecast", "rain or be sunny outside"),
        ("?", "tomorrow?", "this weekend?", "in Oslo?", "after lunch?"),
    ),
    "recommend_recipe": (
        ("Give me", "I would like", "Suggest", "Do you know"),
        ("a vegetarian dinner recipe to cook", "a recipe with pasta to cook", "a quick dinner recipe", "cooking recipe with lentils"),
        ("?", "for four people.", "without garlic.", "for tonight.", "for children."),
    ),
}
NONSENSE = ("qzx vvk pfft wub", "%%%% ???? !!!!", "jklö jklö asdf", "zzyzx 0xdeadbeef 77")


@dataclass(frozen=True)
class Message:
    """One request and what it asks for."""

    trace_id: str
    day: str
    intent: str
    text: str


def messages(
    n_each: int, days: Sequence[str] = DAYS, *, intents: Iterable[str] = INTENTS, seed: int = 0, prefix: str = "t"
) -> list[Message]:
    """`n_each` messages of every intent, spread over the days, in random order."""
    chance = random.Random(seed)
    asked = [(intent, _sentence(intent, chance)) for intent in intents for _ in range(n_each)]
    chance.shuffle(asked)
    return [Message(f"{prefix}{n:05d}", days[n % len(days)], intent, text) for n, (intent, text) in enumerate(asked)]


def _sentence(intent: str, chance: random.Random) -> str:
    opening, thing, ending = (chance.choice(list(parts)) for parts in INTENTS[intent])
    return f"{opening} {thing}{'' if ending in '?.' else ' '}{ending}"


def rows(asked: Iterable[Message]) -> list[dict[str, object]]:
    """Trace rows as an application would write them."""
    return [row(m.trace_id, m.day, m.text, number=n) for n, m in enumerate(asked)]


def row(trace_id: str, day: str, text: object, *, number: int = 0) -> dict[str, object]:
    """One trace row; the number spreads times and users."""
    return {
        "id": trace_id,
        "timestamp": f"{day}T{number % 24:02d}:{number % 60:02d}:00Z",
        "input": {"messages": [{"role": "user", "content": text}]},
        "output": "Done.",
        "user_id": f"u{number % 7}",
        "latency_ms": 200 + number % 50,
        "cost_usd": 0.001,
        "n_tokens": 40,
        "scores": {"helpful": number % 2},
    }


def write_jsonl(path: Path, lines: Iterable[Mapping[str, object]], mode: str = "w") -> Path:
    """Write rows to a JSONL file, or append them with mode `a`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode, encoding="utf-8") as handle:
        handle.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return path


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[str]]) -> Path:
    """Write a CSV file."""
    import csv

    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(lines)
    return path
