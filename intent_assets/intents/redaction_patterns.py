"""The shapes of secrets, e-mail addresses, account numbers, cards and network addresses.

Every `…_spans` gives the places (start, end) in a text, in order, that do not overlap. Kept on purpose: hashes, UUIDs, MAC addresses and
IMEIs (machines, not people), and four numbers with dots where the text calls them a version, a build or a section.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

Span = tuple[int, int]

# Most messages have neither a digit nor an @ and end here; a secret without digits is at least a long word or a password.
WORTH_A_LOOK = re.compile(r"[0-9@]|\S{16}|:[0-9A-Fa-f]*:|-----BEGIN|[\[(](?:at|arroba)[\])]", re.IGNORECASE)

_VENDORS = (
    r"sk-(?:proj|ant|or|lf|live|test|svcacct|admin|None)-[\w-]{12,}",
    r"pk-lf-[\w-]{12,}",
    r"(?:sk|pk|rk)-(?:[a-z]{2,12}-)?(?=[A-Za-z]{0,60}\d)[A-Za-z0-9]{16,}[\w-]*",
    r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|gl(?:pat|ptt|dt|rt|soat)-[\w-]{16,}",
    r"hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,}|lsv2_[a-z]{2}_\w{20,}|(?:lin_api|ntn|gsk|npm|r8|figd|dop_v1|dckr_pat|wandb_v1)_[\w-]{20,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}",
    r"(?:xai|pplx|tvly)-[A-Za-z0-9-]{20,}|hvs\.[\w-]{20,}|shpat_[0-9a-fA-F]{32}|pypi-AgE[\w-]{40,}",
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",
)
_KEY = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_VENDORS)})")
_BARE = r"[^\s\"'`<>\[\]{}(),;&]"
_ASSIGNED = r"[\"']?\s{0,3}[:=]\s{0,3}"


def _value(least: int, most: int) -> str:
    """What is assigned, quoted or bare; with a digit and a letter, or it is a placeholder, a name or a call."""
    quoted = r"[^\"'\s\[\]]"
    choices = ((r"\"", quoted, r"(?=\")"), ("'", quoted, "(?=')"), ("", _BARE, r"(?![(\[\"'])"))
    wanted = [f"(?={char}{{0,{most}}}\\d)(?={char}{{0,{most}}}[A-Za-z]){char}{{{least},{most}}}+" for _, char, _ in choices]
    return "|".join(f"{opened}({want}){closed}" for want, (opened, _, closed) in zip(wanted, choices, strict=True))


# What stands before the secret stays; what a group holds goes.
_CARRIED = (
    re.compile(r"\bbearer\s+((?=[\w.~+/=-]{0,300}\d|[\w.~+/=-]{24})[\w.~+/=-]{8,})", re.IGNORECASE),
    re.compile(r"\bauthorization\W{1,5}basic\s+([\w+/=-]{8,})", re.IGNORECASE),
    re.compile(
        rf"(?:api[_ -]?key|secret|token|access[_-]?key)(?:[_ -]?(?:access[_-]?)?(?:key|id|value))?{_ASSIGNED}(?:{_value(16, 500)})",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:password|passwd|pwd|passwort|kennwort|mot de passe|contraseña){_ASSIGNED}(?:{_value(8, 200)})", re.IGNORECASE),
    re.compile(r"://[^\s/:@\[\]]{0,64}:([^\s/@\[\]]{3,200})(?=@)"),
)
_LINE = r"(?:\s|\\[nr])"  # of a key in a file, or escaped in JSON
_PRIVATE_KEY = re.compile(
    rf"-----BEGIN [A-Z ]{{0,30}}PRIVATE KEY-----{_LINE}*[\w+/=]{{30,}}+(?:{_LINE}+[\w+/=]{{4,}}+)*"
    rf"(?:{_LINE}*-----END [A-Z ]{{0,30}}PRIVATE KEY-----)?"
)

_AT = r"(?:@|%40|\s?[\[({](?:at|arroba)[\])}]\s?)"
_DOT = r"(?:\.|\s?[\[({](?:dot|punkt|point|punto)[\])}]\s?|\sdot\s)"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(
    rf"(?P<who>[\w+](?:[\w.+&'’~!#$%*-]{{0,62}}[\w+-])?){_AT}(?:{_LABEL}{_DOT}){{1,8}}(?P<top>xn--[\w-]{{2,59}}|[^\W\d_]{{2,24}})",
    re.IGNORECASE,
)
_FILE_ENDINGS = frozenset(["png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "pdf", "css", "js"])

_GAP = "[ \u00a0\u202f.-]"
_ACCOUNT = re.compile(rf"(?<![A-Za-z0-9])(?=([A-Za-z]{{2}}{_GAP}?\d\d(?:{_GAP}?[A-Za-z0-9]){{11,30}}))")
_DIGIT_RUN = re.compile(rf"(?<![\w+])(?<!\d[.,])\d(?:{_GAP}?\d){{12,}}+")
_GOES_ON = re.compile(r"\w|[.,]\d")
_CARD_GROUPS = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 3, 3, 3), (6, 13), (6, 10), (8, 8)})
# First digits of payment cards, and how many digits follow.
_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12})|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|(?:6011|64[4-9]\d|65\d\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:50|5[6-8]|6[013-9])\d{11,17}"
)

_IPV4 = re.compile(r"(?<![\w.])(?<![A-Za-z]/)\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,38}:[0-9A-Fa-f:]{0,38}:)[0-9A-Fa-f:]{2,39}(?:(?:\.\d{1,3}){3})?(?![\w:]|\.\d)")
_NOT_AN_ADDRESS = re.compile(
    r"(?:\b(?:version|versión|ver|v|release|build|firmware|latest|chapter|section|kapitel|abschnitt|chapitre|capítulo|sección|clause)|§)"
    r"(?:\s(?:is|to|from|number|no|nummer|ist|est|es))?[\s.:=#]{0,3}(?:v?\d{1,4}(?:\.\d{1,5}){1,3}(?:\s?(?:,|/|-|–|->|to|and|or|und|bis|et|y|o)\s?))*$",
    re.IGNORECASE,
)


def key_spans(text: str) -> Iterator[Span]:
    """API keys and tokens of known shape, and what stands where a secret is assigned."""
    spans = [match.span() for pattern in (_KEY, _PRIVATE_KEY) for match in pattern.finditer(text)]
    spans += [match.span(match.lastindex or 0) for pattern in _CARRIED for match in pattern.finditer(text)]
    return _outermost(spans)


def email_spans(text: str) -> Iterator[Span]:
    """E-mail addresses, also `%40` and `[at]`; not `logo@2x.png`, not `git@` of a clone address."""
    for match in _EMAIL.finditer(text):
        if match["top"].lower() not in _FILE_ENDINGS and match["who"] != "git":
            yield match.span()


def account_spans(text: str) -> Iterator[Span]:
    """IBANs that pass their check, with or without gaps, in either case."""
    from stdnum import iban

    done = 0
    for match in _ACCOUNT.finditer(text):
        start = match.start()
        for end in _ends(text, start, match.end(1)):
            compact = re.sub(_GAP, "", text[start:end])
            if start >= done and len(compact) >= 15 and iban.is_valid(compact, check_country=False):
                done = end
                yield start, end
                break


def card_spans(text: str) -> Iterator[Span]:
    """Numbers that pass the Luhn check and start like a payment card, also among other digits if grouped like a card."""
    for run in _DIGIT_RUN.finditer(text):
        groups = [match.span() for match in re.finditer(r"\d+", run[0])]
        if _GOES_ON.match(text, run.end()):
            groups.pop()
        first = 0
        while first < len(groups):
            lasts = range(min(first + (19 if len(groups) < 20 else 5), len(groups)), first, -1)
            last = next((last for last in lasts if _is_card(run[0], groups, first, last)), None)
            if last is not None:
                yield run.start() + groups[first][0], run.start() + groups[last - 1][1]
            elif groups[first][1] - groups[first][0] > 3:
                break  # a longer number, of which this would be the tail
            first = last or first + 1


def ip_spans(text: str) -> Iterator[Span]:
    """IPv4 and IPv6 addresses, without their port or prefix length."""
    spans = [match.span() for match in _IPV6.finditer(text) if _is_ipv6(match[0])] if ":" in text else []
    spans += [match.span() for match in _IPV4.finditer(text) if _is_ipv4(text, match)]
    return _outermost(spans)


def _outermost(spans: list[Span]) -> Iterator[Span]:
    """In order; where two overlap, the union of both."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return iter(joined)


def _ends(text: str, start: int, end: int) -> Iterator[int]:
    """Where a word ends, from the last back to the first: what is grouped in fours may be followed by other words."""
    for place in range(min(end, len(text)), start, -1):
        if text[place - 1].isalnum() and (place == len(text) or not text[place].isalnum()):
            yield place


def _is_card(run: str, groups: list[Span], first: int, last: int) -> bool:
    from stdnum import ean, luhn

    chosen = groups[first:last]
    sizes = tuple(end - start for start, end in chosen)
    if not 13 <= sum(sizes) <= 19:
        return False
    raw = run[chosen[0][0] : chosen[-1][1]]
    whole = len(chosen) == len(groups) and "." not in raw
    digits = "".join(char for char in raw if char.isdigit())
    if not (whole or len(sizes) == 1 or sizes in _CARD_GROUPS) or not _CARD.fullmatch(digits) or not luhn.is_valid(digits):
        return False
    # One of ten barcodes passes the Luhn check; cards of 13 digits are no longer issued.
    return len(set(digits)) > 1 and not (len(digits) == 13 and len(sizes) == 1 and ean.is_valid(digits))


def _is_ipv4(text: str, match: re.Match[str]) -> bool:
    return _parses(match[0]) and not _NOT_AN_ADDRESS.search(text[max(0, match.start() - 60) : match.start()])


def _is_ipv6(candidate: str) -> bool:
    """An address, and neither `::` of a program nor a slice such as `10::2`."""
    if not _parses(candidate) or not any(char.isdigit() for char in candidate):
        return False
    groups = [group for group in candidate.split(":") if group]
    return len(groups) >= 3 or len(groups[0]) >= 3 or "." in candidate or IPv6Address(candidate).is_loopback


def _parses(candidate: str) -> bool:
    try:
        ip_address(candidate)
    except ValueError:
        return False
    return True
