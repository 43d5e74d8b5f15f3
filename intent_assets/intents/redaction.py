"""Personal data and secrets out of texts that people get to see: logs, metadata, examples, the report.

Stored traces are not redacted: the words are what gets embedded. Patterns find shapes, not meaning: names and addresses stay.
"""

import re
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

EXCERPT_CHARS = 200
_SCAN_CHARS = 20_000  # of an excerpt: what stands further on is cut away, and need not be searched

_Check = Callable[[str], bool]
_WORTH_A_LOOK = re.compile(r"[0-9@]|[Bb]earer|BEARER|eyJ|sk-|pk-|ghp_|gho_|xox|AKIA|:[0-9A-Fa-f]*:")
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}")
_KEY = re.compile(
    r"\b(?:sk|pk|rk)-(?:lf-|ant-|proj-|or-|live-|test-)?[A-Za-z0-9_-]{12,}"
    r"|\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}"
    r"|\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|lsv2_\w{2}_\w{20,})"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}|\bxox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
)
_BEARER = re.compile(r"\b(bearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?![\w:])")
_PHONE_SHAPE = re.compile(r"[+(\d][\d\s().\-/]{5,}\d")
# 0151 1234 5678, 07700 900123, (0)30-901820, 0044…: a leading zero and groups, which orders and amounts do not have.
_TRUNK_PHONE = re.compile(
    r"(?<![\w.,:/-])(?!\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}\b)"
    r"(?:\(?0[1-9]\d{0,5}\)?(?:[ /().-]{1,2}\d{2,}){1,5}|00[1-9](?:[ -]?\d){7,13})(?![\w-]|[.:]\d)"
)
_ANNOUNCED_PHONE = re.compile(
    r"\b((?:phone|tel|telephone|mobile|cell|whatsapp|telefon|handy|mobil|móvil|teléfono|portable)(?:\s+(?:number|nummer|número))?"
    r"[\s:.,#]*(?:is|ist|es|no)?[\s:.]*)\d(?:[ -]?\d){5,14}(?![\w-])",
    re.IGNORECASE,
)
_NOT_A_PHONE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")


def redact(text: str) -> str:
    """The text with personal data and secrets replaced by their kind, e.g. `[email]`."""
    return redact_counted(text)[0]


def redact_counted(text: str) -> tuple[str, dict[str, int]]:
    """The redacted text, and how many of each kind were replaced: key, iban, email, card, ip, phone."""
    found: Counter[str] = Counter()
    if not _WORTH_A_LOOK.search(text):
        return text, {}
    text = _replace(text, _KEY, "key", found)
    text = _BEARER.sub(lambda match: _mark(found, "key", match[1]), text)
    text = _replace(text, _EMAIL, "email", found)
    if any(char.isdigit() for char in text):
        text = _replace(text, _IBAN, "iban", found, _is_iban)
        text = _replace(text, _CARD, "card", found, _is_card)
        text = _replace(text, _IPV4, "ip", found, _is_ip)
        text = _redact_phones(text, found)
    if ":" in text:
        text = _replace(text, _IPV6, "ip", found, _is_ip)
    return text, dict(found)


def excerpt(text: str, limit: int = EXCERPT_CHARS) -> str:
    """The start of a text for people to see: redacted, white space folded, at most `limit` characters."""
    # Redacted before it is cut: half a card number would not be recognised.
    folded = " ".join(redact(text[: max(_SCAN_CHARS, limit)]).split())
    return folded if len(folded) <= limit else f"{folded[: limit - 1].rstrip()}…"


def _mark(found: Counter[str], kind: str, prefix: str = "") -> str:
    found[kind] += 1
    return f"{prefix}[{kind}]"


def _replace(text: str, pattern: re.Pattern[str], kind: str, found: Counter[str], check: _Check | None = None) -> str:
    return pattern.sub(lambda match: _mark(found, kind) if check is None or check(match[0]) else match[0], text)


def _is_iban(candidate: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(candidate, check_country=False))


def _is_card(candidate: str) -> bool:
    """A number that passes the Luhn check and starts like a payment card; 13 to 19 digits."""
    from stdnum import luhn

    digits = re.sub(r"\D", "", candidate)
    return digits[0] in "23456" and len(set(digits)) > 1 and bool(luhn.is_valid(digits))


def _is_ip(candidate: str) -> bool:
    try:
        ip_address(candidate)
    except ValueError:
        return False
    return True


def _redact_phones(text: str, found: Counter[str]) -> str:
    """Replace telephone numbers: those that phonenumbers knows, trunk-prefixed ones, and digits announced as one."""
    if not _PHONE_SHAPE.search(text):
        return text
    matches = [match for match in _phone_matches(text) if _reads_as_phone(match.raw_string)]
    for match in reversed(matches):
        text = text[: match.start] + _mark(found, "phone") + text[match.end :]
    text = _replace(text, _TRUNK_PHONE, "phone", found, lambda raw: 9 <= sum(map(str.isdigit, raw)) <= 15)
    return _ANNOUNCED_PHONE.sub(lambda match: _mark(found, "phone", match[1]), text)


def _phone_matches(text: str) -> list[Any]:
    from phonenumbers import Leniency, PhoneNumberMatcher

    # The region only matters for numbers without a country code; other countries' are found by _TRUNK_PHONE.
    return list(PhoneNumberMatcher(text, "US", leniency=Leniency.POSSIBLE))


def _reads_as_phone(raw: str) -> bool:
    """Whether digits are written like a telephone number; bare digits and dates are orders, amounts and days."""
    if raw.startswith("+"):
        return True
    if _NOT_A_PHONE.fullmatch(raw.strip()):
        return False
    groups = re.findall(r"\d+", raw)
    return len(groups) >= 3 and 9 <= sum(map(len, groups)) <= 15
