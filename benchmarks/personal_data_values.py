"""Personal data and secrets to plant, as people write them: e-mails, phones, cards, IBANs, addresses, keys.

Every value is made from a seed. Keys are put together from parts at run time, so that no file holds a key-shaped literal.
"""

import string
from collections.abc import Callable
from random import Random
from typing import Any

Maker = Callable[[Random], str]

ALNUM = string.ascii_letters + string.digits
# The regions a writer of that language gives national numbers of.
REGIONS = {
    "en": ["US", "GB", "AU", "IN", "IE", "ZA", "CA", "SG", "NL", "IT", "PL", "SE", "NO", "DK", "JP", "BR"],
    "de": ["DE", "AT", "CH"],
    "fr": ["FR", "BE", "CH"],
    "es": ["ES", "MX", "AR", "CO"],
}
ABROAD = [
    "US",
    "GB",
    "DE",
    "FR",
    "ES",
    "IT",
    "NL",
    "BE",
    "AT",
    "CH",
    "PL",
    "SE",
    "NO",
    "DK",
    "PT",
    "IE",
    "IN",
    "BR",
    "MX",
    "AU",
    "JP",
    "ZA",
    "TR",
    "AR",
    "CZ",
    "FI",
    "GR",
    "SG",
    "IL",
    "CO",
    "CA",
]
IBAN_COUNTRIES = {
    "DE": "n18", "FR": "n20k1n2", "ES": "n20", "GB": "a4n14", "NL": "a4n10", "IT": "a1n10k12", "CH": "n17", "AT": "n16",
    "BE": "n12", "PL": "n24", "SE": "n20", "NO": "n11", "DK": "n14", "PT": "n21", "IE": "a4n14", "FI": "n14", "LU": "n16", "CZ": "n20",
}  # fmt: skip
ALPHABETS = {"n": string.digits, "a": string.ascii_uppercase, "k": string.ascii_uppercase + string.digits}
# First digits, number of digits, groups.
CARDS = {
    "visa": ("4", 16, (4, 4, 4, 4)),
    "visa 13": ("4", 13, (4, 3, 3, 3)),
    "visa 19": ("4", 19, (4, 4, 4, 4, 3)),
    "mastercard": ("52", 16, (4, 4, 4, 4)),
    "mastercard 2": ("2305", 16, (4, 4, 4, 4)),
    "amex": ("37", 15, (4, 6, 5)),
    "diners": ("36", 14, (4, 6, 4)),
    "discover": ("6011", 16, (4, 4, 4, 4)),
    "jcb": ("3530", 16, (4, 4, 4, 4)),
    "maestro": ("6759", 18, (4, 4, 4, 4, 2)),
    "unionpay": ("62", 19, (6, 13)),
}
PEOPLE = (
    "anna", "tom.fischer", "j.doe", "MariaKeller", "l_ortega", "sales", "info", "kaj-erik", "o'neill", "x.y.z", "r2d2", "n.dubois1987",
    "büro", "josé", "björn.åberg",
)  # fmt: skip
DOMAINS = (
    "example.com", "example.co.uk", "mail.example.org", "gmail.com", "web.de", "orange.fr", "hotmail.es", "proton.me", "firma-gmbh.de",
    "müller-bau.de", "eu.west.example.io", "uni-köln.de", "bücher.example",
)  # fmt: skip


def some(rng: Random, n: int, alphabet: str = ALNUM) -> str:
    return "".join(rng.choices(alphabet, k=n))


def digits(rng: Random, n: int) -> str:
    """n digits, the first not zero."""
    return some(rng, 1, "123456789") + some(rng, n - 1, string.digits)


def _address(change: Callable[[Random, str, str], str]) -> Maker:
    return lambda rng: change(rng, rng.choice(PEOPLE), rng.choice(DOMAINS))


EMAILS: dict[str, Maker] = {
    "plain": _address(lambda rng, who, where: f"{who}@{where}"),
    "plain again": _address(lambda rng, who, where: f"{who}{rng.randint(1, 99)}@{where}"),
    "plus tag": _address(lambda rng, who, where: f"{who}+{rng.choice(['news', 'shop2', 'a_b', '2026-11'])}@{where}"),
    "upper case": _address(lambda rng, who, where: f"{who}@{where}".upper()),
    "long top level": _address(lambda rng, who, where: f"{who}@{rng.choice(['team.engineering', 'studio.photography', 'x.museum'])}"),
    "punycode": _address(lambda rng, who, where: f"{who}@{rng.choice(['xn--mller-kva.de', 'mail.xn--bcher-kva.example'])}"),
    "escaped": _address(lambda rng, who, where: f"{rng.choice(['anna', 'tom.fischer', 'sales'])}%40{rng.choice(DOMAINS[:8])}"),
    "digits": _address(lambda rng, who, where: f"{digits(rng, 8)}@{where}"),
    "spelt out": _address(lambda rng, who, where: f"{rng.choice(['anna', 'j.doe'])} [at] example [dot] com"),
    "other script": lambda rng: rng.choice(["用户@例子.公司", "иван.петров@пример.рф", "γιώργος@παράδειγμα.ελ"]),
}


def phone(region: str) -> Maker:
    """A number of that region in one of the ways people write it."""

    def make(rng: Random) -> str:
        from phonenumbers import PhoneNumberFormat, format_number

        number = _number(region, rng)
        national = format_number(number, PhoneNumberFormat.NATIONAL)
        abroad = format_number(number, PhoneNumberFormat.INTERNATIONAL)
        written = [national, national, national, _own_way(rng, national), _own_way(rng, national), abroad]
        return rng.choice([*written, *_with_code(rng, national, abroad)])

    return make


def foreign_phone(region: str) -> Maker:
    """The same, always with the country code."""

    def make(rng: Random) -> str:
        from phonenumbers import PhoneNumberFormat, format_number

        number = _number(region, rng)
        national, abroad = (format_number(number, how) for how in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL))
        return rng.choice([abroad, *_with_code(rng, national, abroad)])

    return make


def _number(region: str, rng: Random) -> Any:
    """The region's example number with other last digits that make a valid number too."""
    from phonenumbers import PhoneNumberType, example_number_for_type, is_valid_number

    number = example_number_for_type(region, rng.choice([PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE]))
    base = number.national_number
    for n in (5, 4, 3):
        number.national_number = base // 10**n * 10**n + rng.randrange(10**n)
        if is_valid_number(number):
            return number
    number.national_number = base
    return number


def _own_way(rng: Random, national: str) -> str:
    """Another separator, no separator, or other groups after the first."""
    groups = national.replace("(", " ").replace(")", " ").replace("-", " ").split()
    head, rest = groups[0], "".join(groups[1:])
    pairs = [rest[i : i + 2] for i in range(0, len(rest), 2)]
    ways = [".".join(groups), "-".join(groups), " ".join(groups), "".join(groups), f"{head}/{rest}", f"{head} {rest}", f"({head}) {rest}"]
    return rng.choice(
        [*ways, f"{head} - {rest}", " ".join([head, *pairs]), f"{head}/{' '.join(pairs)}", f"({head}) {'-'.join(groups[1:])}"]
    )


def _with_code(rng: Random, national: str, abroad: str) -> list[str]:
    code, _, rest = abroad.partition(" ")
    ways = [abroad.replace(" ", "").replace("-", ""), abroad.replace(" ", "-"), abroad.replace(" ", "."), abroad.replace("+", "00")]
    ways += [f"({code}) {rest}", f"{code}/{rest}", abroad.replace("+", "+ ", 1), "00" + abroad[1:].replace(" ", "").replace("-", "")]
    if national.startswith("0"):
        ways.append(f"{code} (0) {rest}")
        ways.append(f"{code} (0){rest}")
    return [rng.choice(ways), rng.choice(ways)]


def card(name: str) -> Maker:
    start, n, groups = CARDS[name]

    def make(rng: Random) -> str:
        from stdnum import luhn

        body = start + some(rng, n - len(start) - 1, string.digits)
        number = body + luhn.calc_check_digit(body)
        return cut(number, groups, rng.choice(["", " ", " ", " ", "-", "-", ".", "\u00a0"]))

    return make


def cut(text: str, groups: tuple[int, ...], separator: str) -> str:
    starts = [sum(groups[:i]) for i in range(len(groups))]
    return separator.join(text[start : start + n] for start, n in zip(starts, groups, strict=True))


def iban(country: str) -> Maker:
    def make(rng: Random) -> str:
        from stdnum.iso7064 import mod_97_10

        shape = IBAN_COUNTRIES[country]
        parts = "".join(c if c.isdigit() else f" {c}" for c in shape).split()
        body = "".join(some(rng, int(part[1:]), ALPHABETS[part[0]]) for part in parts)
        number = country + mod_97_10.calc_check_digits(f"{body}{country}") + body
        number = rng.choice([number, number, number.lower()])
        fours = tuple(min(4, len(number) - start) for start in range(0, len(number), 4))
        return cut(number, fours, rng.choice(["", " ", " ", "-", "\u00a0"]))

    return make


def hexes(rng: Random, n: int) -> str:
    return some(rng, n, "0123456789abcdef")


IPV4: dict[str, Maker] = {
    "public": lambda rng: ".".join([str(rng.randint(11, 223)), *(str(rng.randint(0, 255)) for _ in range(3))]),
    "private": lambda rng: rng.choice(["10.{}.{}.{}", "192.168.{1}.{2}"]).format(*(rng.randint(0, 255) for _ in range(3))),
    "local": lambda rng: rng.choice(["127.0.0.1", "172.16.0.1", "10.0.0.1", "8.8.8.8"]),
}
IPV6: dict[str, Maker] = {
    "full": lambda rng: ":".join(["2001", "0db8", *(hexes(rng, 4) for _ in range(6))]),
    "short": lambda rng: f"2a02:{hexes(rng, 4)}::{rng.choice(['1', hexes(rng, 3), hexes(rng, 4)])}",
    "upper case": lambda rng: f"2001:db8:{hexes(rng, 4)}:{hexes(rng, 4)}::{hexes(rng, 2)}".upper(),
    "link": lambda rng: f"fe80::{hexes(rng, 4)}:{hexes(rng, 2)}ff:fe{hexes(rng, 2)}:{hexes(rng, 4)}",
    "mapped": lambda rng: f"::ffff:{IPV4['public'](rng)}",
    "loopback": lambda rng: "::1",
}


def _key(start: str, n: int, alphabet: str = ALNUM) -> Maker:
    return lambda rng: start + some(rng, n, alphabet)


def _uuid(rng: Random) -> str:
    return "-".join(hexes(rng, n) for n in (8, 4, 4, 4, 12))


def _jwt(rng: Random) -> str:
    return ".".join(["ey" + "J" + some(rng, 33), "ey" + "J" + some(rng, 51), some(rng, 43, ALNUM + "-_")])


AWS_ID: Maker = _key("AK" + "IA", 16, string.ascii_uppercase + "234567")
AWS_SECRET: Maker = _key("", 40, ALNUM + "+/")
KEYS: dict[str, Maker] = {
    "openai": _key("sk" + "-", 48),
    "openai project": lambda rng: "sk" + "-proj-" + some(rng, 74, ALNUM + "_-") + some(rng, 46),
    "anthropic": lambda rng: "sk" + "-ant-api03-" + some(rng, 93, ALNUM + "_-") + "AA",
    "aws": AWS_ID,
    "github": _key("gh" + "p_", 36),
    "github fine": lambda rng: "github" + "_pat_" + some(rng, 22) + "_" + some(rng, 59),
    "slack": lambda rng: "xo" + f"x{rng.choice('bp')}-{digits(rng, 12)}-{digits(rng, 13)}-{some(rng, 24)}",
    "google": _key("AI" + "za", 35, ALNUM + "-_"),
    "stripe": lambda rng: rng.choice(["sk", "rk", "pk"]) + rng.choice(["_live_", "_test_"]) + some(rng, 24),
    "hugging face": _key("h" + "f_", 34, string.ascii_letters),
    "langfuse": lambda rng: "sk" + f"-lf-{_uuid(rng)}",
    "langsmith": lambda rng: "lsv2" + f"_{rng.choice(['pt', 'sk'])}_{hexes(rng, 32)}_{hexes(rng, 10)}",
    "gitlab": _key("gl" + "pat-", 20, ALNUM + "-_"),
    "jwt": _jwt,
}

# Slot: what it is and the forms it takes; `phone` depends on the language besides.
PLANTED: dict[str, tuple[str, dict[str, Maker]]] = {
    "email": ("email", EMAILS),
    "card": ("card", {name: card(name) for name in CARDS}),
    "iban": ("iban", {country: iban(country) for country in IBAN_COUNTRIES}),
    "ip": ("ip", IPV4),
    "ipv6": ("ip", IPV6),
    "key": ("key", KEYS),
    "bearer": ("key", {"opaque": _key("", 32, ALNUM + "-_."), "jwt": _jwt, "vendor": KEYS["openai"]}),
    "jwt": ("key", {"jwt": _jwt}),
    "aws_id": ("key", {"id": AWS_ID}),
    "aws_secret": ("key", {"secret": AWS_SECRET}),
    "langfuse_public": ("key", {"public": lambda rng: "pk" + f"-lf-{_uuid(rng)}"}),
    "langfuse_secret": ("key", {"secret": KEYS["langfuse"]}),
    "git_key": ("key", {"gitlab": KEYS["gitlab"], "github": KEYS["github"]}),
    "slack": ("key", {"slack": KEYS["slack"]}),
    "google": ("key", {"google": KEYS["google"]}),
}
PHONES = {
    language: {**{region: phone(region) for region in regions}, **{f"+{region}": foreign_phone(region) for region in ABROAD}}
    for language, regions in REGIONS.items()
}
