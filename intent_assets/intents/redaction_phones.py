"""Telephone numbers in texts: with a country code, written the way a country groups them, or announced as one.

Digits alone are orders, amounts and days. They become a telephone number by a sign of one: `+` or `00` and a country that has such
numbers, a leading zero and groups, the groups of North America, or words beside them that speak of calling.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

Span = tuple[int, int]

_BETWEEN = "[ \u00a0\u202f().\\-/–‑]"
_RUN = re.compile(rf"(?<!\w)[+(]{{0,2}} ?\d+(?:{_BETWEEN}{{1,4}}\+?\d+)*")
_GROUP = re.compile(r"\d+")
_N_DIGITS = range(7, 16)
_MOST_GROUPS = 8
_MOST_IN_LINE = 24  # groups of digits; more without a word between them are a column of figures
_CONTEXT = 60  # characters before a number in which it may be announced
_AFTER = 30

_CALLING = re.compile(
    r"phone|^[TMF][ .:]{1,2}$|\btel\b|\btel[.:=]|\bt[ée]l|\btfno|mobile?\b|m[óo]vil|\bcell?\b|celular|whats\s?app|\bfax|\bsms\b"
    r"|handy|telefon|rufnummer|\bcall(?:s|ing)?\b(?! cent)|\bcalled (?:me |us )?(?:from|by|on|at)\b|\bring\b|\brang\b|\bdial"
    r"|\btext(?:ed)? me|voicemail|\breach (?:me|us)|contact|extension|hotline|durchwahl"
    r"|\b(?:my|this|that|our|his|her|your|meine?|diese|mon|ce|mi|este|su) "
    r"(?:new |old |work |home |other |private |second |neue |alte |nouveau |ancien |nuevo )?(?:number|nummer|n[uú]m[ée]ro)\b"
    r"|\banruf|\bruf|erreich|r[üu]ckruf|appel|joindre|joignable|portable|\bport\.|ll[áa]m|\[(?:email|phone)\][^\n\w]{1,4}$|\bpicks? up",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"order|invoice|claim|\bssn|social|credit|\bcard|\bseat|member|licen[sc]e|loyalty|insurance|ticket|tracking|parcel|package|booking"
    r"|reservation (?:no|number)|\bref\b|reference|customer|account|contract|policy|passport"
    r"|\bcase\b|\bid\b|\bno\.|isbn|\bean\b|barcode|serial|meter|bestell|rechnung|sendung|kunde|vertrag|zähler|\bkonto|auftrag|artikel"
    r"|aktenzeichen|commande|facture|suivi|client|contrat|compteur|dossier|pedido|factura|seguimiento|cliente|contrato|contador|expediente"
    r"|referencia|version|\bpart\b|epoch|flight|vol |vuelo|flug|chip|tag\b|zip|plz|postal|\bin \d",
    re.IGNORECASE,
)
_OTHER_HERE = re.compile(
    rf"(?:{_OTHER.pattern})\\w*(?:[ .:]{{0,2}}(?:number|nummer|numéro|número|no|nr|n°|n\\.º))?[\\s.:=#(]{{0,3}}$", re.IGNORECASE
)
_CALLED = re.compile(
    r"\W{0,4}(?:\w+ ){0,4}?(?:rang|calls?|called|calling|picks? up|texts?|texted|m'appell|me llam|ruft|rief|angerufen|appelle)",
    re.IGNORECASE,
)
_NOT_AFTER = re.compile(r"\w|[,:'’]\d|\s?[€$£%°](?!\s?\d)|\s?(?:EUR|USD|GBP|CHF|kg|km|mg|ms)\b|h\d")
_DATE = re.compile(r"(?:\d{4}([-/. ])\d{1,2}\1\d{1,2}|\d{1,2}([-/ ]|\. ?)\d{1,2}\2(?:19|20)?\d\d)(?:[ T]\d{1,2}(?:\.\d\d)?)?")
_AMOUNT = re.compile(r"\d{3,}\.\d{1,3}")
_COLUMNS = re.compile(r" -\d|\d {3,}|\d\.\d+ +\d+\.\d")  # columns of numbers
_DECIMALS = re.compile(r"[+-]?\d{1,3}\.\d{3,}\)?[ ,(]{1,3}[+-]?\d{1,3}\.\d{3,}")
_NO_TRUNK = re.compile(r"0[.-]|\d\d\.\d\d[^.\d]")  # 0.75, an ISBN, a time
_NORTH_AMERICA = re.compile(r"(?:1[ .-])?\(?[2-9]\d\d\)?[ .\u00a0-]{1,3}[2-9]\d\d[ .\u00a0–-]{1,3}\d{4}")
# Countries without a leading zero, or with one only in brackets, whose way of grouping gives a number away.
_GROUPING_REGIONS = ("ES", "DK", "NO", "IT", "MX", "BR", "CO", "GR", "PL", "TR", "SE")


def phone_spans(text: str) -> Iterator[Span]:
    """Places of telephone numbers, in order."""
    for run in _RUN.finditer(text):
        if sum(map(str.isdigit, run[0])) >= _N_DIGITS.start:
            yield from _in_run(text, [(run.start() + a, run.start() + b) for a, b in (m.span() for m in _GROUP.finditer(run[0]))])


def _in_run(text: str, groups: Sequence[Span]) -> Iterator[Span]:
    """Numbers among digits that only gaps separate: the longest that is one, from the left."""
    first, is_column = 0, len(groups) > _MOST_IN_LINE
    while first < len(groups):
        for last in range(min(len(groups), first + _MOST_GROUPS), first, -1):
            chosen = groups[first:last]
            if sum(b - a for a, b in chosen) in _N_DIGITS and _free(text, groups, first, last) and _is_phone(text, chosen, is_column):
                yield _start(text, groups[first][0]), groups[last - 1][1]
                first = last
                break
        else:
            first += 1


def _free(text: str, groups: Sequence[Span], first: int, last: int) -> bool:
    """Whether the groups stand for themselves: not the middle of a date, an amount, an order number."""
    start, end = groups[first][0], groups[last - 1][1]
    if first > 0 and not _may_begin(text, groups[first - 1], start):
        return False
    if last < len(groups) and not _may_end(text, groups[last : last + 5], end):
        return False
    before = text[max(0, start - 2) : start]
    if re.search(r"\w[-/.,:'’]$|#$|[€$£]\s?$", before) and not before.endswith((".", ":")):
        return False
    return not re.search(r"\d[.:]$", before) and not _NOT_AFTER.match(text, end)


def _may_begin(text: str, before: Span, start: int) -> bool:
    """Whether a number may begin after other digits: with a sign of its own, or after a short count."""
    gap = text[before[1] : start]
    return bool(re.search(r"[(+]", gap)) or (
        " " in gap and before[1] - before[0] <= 3 and text[start] != "0" and not text[before[0] - 1 : before[0]].strip()
    )


def _may_end(text: str, rest: Sequence[Span], end: int) -> bool:
    """Whether a number may end before other digits: those of the next number, or few."""
    gap, following = text[end : rest[0][0]], text[rest[0][0]]
    return bool(re.search(r"[ \u00a0]", gap)) and (
        "+" in gap or "(" in gap or "/" in gap or following == "0" or sum(b - a for a, b in rest) <= 4
    )


def _start(text: str, place: int) -> int:
    """With the plus sign and the bracket before the first group."""
    return place - len(re.search(r"(?:\(?\+ ?|\()?$", text[max(0, place - 3) : place])[0])  # type: ignore[index]


def _is_phone(text: str, groups: Sequence[Span], is_column: bool) -> bool:
    start, end = groups[0][0], groups[-1][1]
    raw, sizes = text[start:end], [b - a for a, b in groups]
    if "+" in raw:
        return False
    opening = text[_start(text, start) : start]
    if "+" in opening:
        spaced_sum = opening.endswith(" ") and re.search(r"\d\s*$", text[: _start(text, start)][-4:])
        return not spaced_sum and not _DECIMALS.fullmatch(raw) and _possible("+" + raw)
    if raw.startswith("00") and raw[2:3] != "0":
        return _valid("+" + raw[2:])
    if any(pattern.fullmatch(raw) for pattern in (_DATE, _DECIMALS, _AMOUNT)) or _COLUMNS.search(raw) or 1 in sizes[2:-1]:
        return False
    if not is_column and _announced(text, start, end):
        return True
    shaped = _has_trunk_zero(raw, sizes) or _NORTH_AMERICA.fullmatch(opening + raw) or (not is_column and _as_grouped(raw, sizes))
    return bool(shaped) and not _OTHER_HERE.search(text[max(0, start - 30) : start])


def _has_trunk_zero(raw: str, sizes: Sequence[int]) -> bool:
    """0151 1234 5678, 07700 900123, (0)30-901820: a leading zero and groups, which orders and amounts do not have."""
    return (
        raw[0] == "0"
        and raw[1:2] != "0"
        and len(sizes) > 1
        and sizes[0] <= 6
        and 1 not in sizes[1:-1]
        and (sizes[0] > 1 or sizes[-1] > 1)
        and 8 <= sum(sizes) <= 12
        and not _NO_TRUNK.match(raw)
    )


def _as_grouped(raw: str, sizes: Sequence[int]) -> bool:
    """Whether a country without a leading zero groups its numbers just so; three times three digits may be an amount as well."""
    if len(sizes) < 3 or set(sizes) == {3} or "." in raw or "/" in raw or not 8 <= sum(sizes) <= 11:
        return False
    from phonenumbers import PhoneNumberFormat, format_number, is_valid_number

    digits = re.sub(r"\D", "", raw)
    for region in _GROUPING_REGIONS:
        number = _parsed(digits, region)
        if number is None or not is_valid_number(number):
            continue
        if [len(group) for group in _GROUP.findall(format_number(number, PhoneNumberFormat.NATIONAL))] == list(sizes):
            return True
    return False


def _announced(text: str, start: int, end: int) -> bool:
    """Whether the words around speak of calling, and no nearer word of an order, an invoice, a contract."""
    before = text[max(0, start - _CONTEXT) : start]
    before = before[before.rfind("\n", 0, -2) + 1 :]  # a label may stand on the line above, other lines speak of other things
    calling, other = (max((m.end() for m in pattern.finditer(before)), default=-1) for pattern in (_CALLING, _OTHER))
    if calling > other or re.match(r"\W{1,3}\[email\]", text[end : end + 12]):
        return True
    return other < 0 and bool(_CALLED.match(text[end : end + _AFTER]))


def _possible(international: str) -> bool:
    from phonenumbers import is_possible_number

    number = _parsed(international)
    return number is not None and bool(is_possible_number(number))


def _valid(international: str) -> bool:
    from phonenumbers import is_valid_number

    number = _parsed(international)
    return number is not None and bool(is_valid_number(number))


def _parsed(written: str, region: str | None = None) -> Any:
    """The library's number, which has no types; None where it cannot be one."""
    from phonenumbers import NumberParseException, parse

    try:
        return parse(written, region)
    except NumberParseException:
        return None
