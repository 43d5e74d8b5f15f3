"""Personal data and secrets out of texts: before people see them (logs, metadata, examples, the report) and before they leave the machine.

Stored traces are not redacted: the words are what gets embedded. Patterns find shapes, not meaning: names and addresses stay. What keys,
addresses and account numbers look like is in redaction_patterns.py, what telephone numbers look like in redaction_phones.py.
"""

from collections import Counter

from intent_assets.intents.redaction_patterns import WORTH_A_LOOK, account_spans, card_spans, email_spans, ip_spans, key_spans
from intent_assets.intents.redaction_phones import phone_spans

EXCERPT_CHARS = 200
_SCAN_CHARS = 20_000  # of an excerpt: what stands further on is cut away, and need not be searched

# In this order: a key may hold an address, an account number holds what looks like a card, and either looks like a telephone number.
_FINDERS = (
    ("key", key_spans),
    ("email", email_spans),
    ("iban", account_spans),
    ("card", card_spans),
    ("ip", ip_spans),
    ("phone", phone_spans),
)


def redact(text: str) -> str:
    """The text with personal data and secrets replaced by their kind, e.g. `[email]`."""
    return redact_counted(text)[0]


def redact_counted(text: str) -> tuple[str, dict[str, int]]:
    """The redacted text, and how many of each kind were replaced: key, iban, email, card, ip, phone."""
    total: Counter[str] = Counter()
    while WORTH_A_LOOK.search(text):
        text, found = _once(text)
        if not found:
            break
        # Once more: a mark is new context, and redacting a redacted text must change nothing.
        total += found
    return text, dict(total)


def excerpt(text: str, limit: int = EXCERPT_CHARS) -> str:
    """The start of a text for people to see: redacted, white space folded, at most `limit` characters."""
    # Redacted before it is cut: half a card number would not be recognised.
    folded = " ".join(redact(text[: max(_SCAN_CHARS, limit)]).split())
    return folded if len(folded) <= limit else f"{folded[: limit - 1].rstrip()}…"


def _once(text: str) -> tuple[str, Counter[str]]:
    found: Counter[str] = Counter()
    for kind, spans in _FINDERS:
        parts, done = [], 0
        for start, end in spans(text):
            parts += [text[done:start], f"[{kind}]"]
            done = end
            found[kind] += 1
        if done:
            text = "".join([*parts, text[done:]])
    return text, found
