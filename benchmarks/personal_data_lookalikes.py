"""What looks like personal data and is not: orders, amounts, dates, versions, hashes, code.

Decided here: MAC addresses, IMEIs, UUIDs and hashes are kept (machines, not people); four numbers with dots are an address unless the
text calls them a version or a section.
"""

import string
from random import Random

from benchmarks.personal_data_values import Maker, digits, hexes, some

MONTHS = ("Jan", "March", "September", "März", "février", "octubre")
CODE = (
    "@app.route('/users/<int:id>')\ndef show(id): ...",
    "@dataclass(frozen=True)\nclass Point:\n    x: int = 0",
    "@pytest.mark.parametrize('n', [1, 20, 300, 4000])\ndef test_n(n): assert n > 0",
    "for i in range(0, 1000, 25): print(i, i * 0.5)",
    "const x = [1, 22, 333, 4444].map(n => n.toString(16));",
    "SELECT * FROM orders WHERE id IN (100234, 100235, 100236) LIMIT 50;",
    "git@github.com:acme/app.git",
    "public class A { @Override public int hashCode() { return 31 * 17; } }",
    "user@",
    "ssh root@localhost -p 2222",
    "uint32_t mask = 0xFFFF0000; int n = 2147483647;",
    "re.match(r'\\d{3}-\\d{4}', s)",
    "rsync -avz --bwlimit=5000 src/ backup@nas:/vol1/2026-11-21/",
    "plt.figure(figsize=(12, 8)); plt.xlim(0, 1000); plt.yticks([0, 250, 500, 750])",
    "@media (min-width: 768px) and (max-width: 1024px) { .a { width: 100% } }",
    "version: '3.8'\nservices:\n  db:\n    image: postgres:16.4\n    ports: ['5432:5432']",
    "torch.Size([32, 512, 768])",
    "#define MAX 65536\nint a[8] = {1, 1, 2, 3, 5, 8, 13, 21};",
)


def _date(rng: Random, form: str) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1990, 2027)
    return form.format(d=day, m=month, y=year, yy=year % 100, name=rng.choice(MONTHS))


def _dated(form: str) -> Maker:
    return lambda rng: _date(rng, form)


def _time(rng: Random) -> str:
    hour, minute, second = rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59)
    form = rng.choice(["{h:02}:{m:02}", "{h}:{m:02}", "{h:02}.{m:02}", "{h:02}:{m:02}:{s:02}", "{h}h{m:02}", "{h:02}:{m:02} CET", "{t} pm"])
    return form.format(h=hour, m=minute, s=second, t=hour % 12 + 1)


def _iso(rng: Random) -> str:
    stamp = _date(rng, "{y}-{m:02}-{d:02}") + f"T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    return stamp + rng.choice(["Z", f".{digits(rng, 3)}Z", "+02:00", f".{digits(rng, 6)}+00:00"])


def _amount(rng: Random) -> str:
    whole, cents = rng.randint(1, 9_999_999) if rng.random() < 0.4 else rng.randint(1, 2_000), rng.randint(0, 99)
    english = f"{whole:,}.{cents:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    forms = [f"${english}", f"{english} USD", f"€{whole}", f"{german} €", f"EUR {german}", f"{german.replace('.', ' ')} €", f"£{whole:,}"]
    return rng.choice(
        [*forms, f"{whole}.{cents:02}", f"{german.replace('.', chr(160))} €", f"CHF {whole:,}.—".replace(",", "'"), f"-{english}"]
    )


def _grouped(separator: str) -> Maker:
    return lambda rng: f"{rng.randint(10_000, 99_999_999):,}".replace(",", separator)


def _no_luhn(n: int) -> Maker:
    def make(rng: Random) -> str:
        from stdnum import luhn

        number = digits(rng, n)
        return number if not luhn.is_valid(number) else number[:-1] + str((int(number[-1]) + 1) % 10)

    return make


def _ean(rng: Random, start: str, n: int = 13) -> str:
    from stdnum import ean

    body = start + some(rng, n - 1 - len(start), string.digits)
    return body + ean.calc_check_digit(body)


def _isbn13(rng: Random) -> str:
    number = _ean(rng, rng.choice(["978", "979"]))
    return rng.choice([number, f"{number[:3]}-{number[3:]}", f"{number[:3]}-{number[3]}-{number[4:8]}-{number[8:12]}-{number[12]}"])


def _sum(rng: Random) -> str:
    a, b, c = rng.randint(1, 99_999), rng.randint(1, 9_999), rng.randint(1, 999)
    forms = [
        f"{a} + {b}",
        f"{a} - {b} - {c}",
        f"({a} + {b}) / {c}",
        f"{a}*{b}",
        f"{a} / {b}",
        f"{a}-{b}",
        f"({c}) - ({c})",
        f"{a} x {b} x {c}",
    ]
    return rng.choice([*forms, f"{c} + {c} + {c} + {c} + {c}", f"{a}.{c} + {b}.{c}", f"(12 + 30) * ({b} - {c})", f"{c}/{c} + {c}/{c}"])


def _arc(rng: Random, most: int) -> str:
    return f"{rng.randint(0, most)}°{rng.randint(0, 59)}'{rng.randint(0, 59)}.{rng.randint(0, 9)}\""


def _always(text: str) -> Maker:
    return lambda rng: text


def _hash(n: int) -> Maker:
    return lambda rng: hexes(rng, n)


DATES = (
    "{y}-{m:02}-{d:02}",
    "{d:02}.{m:02}.{y}",
    "{d}.{m}.{yy:02}",
    "{m:02}/{d:02}/{y}",
    "{d}/{m}/{yy:02}",
    "{d:02}-{m:02}-{y}",
    "{d} {name} {y}",
    "{name} {d}, {y}",
    "{y}/{m:02}/{d:02}",
    "{d:02} {m:02} {y}",
    "{y}{m:02}{d:02}",
    "{d}.{m}.",
    "{d:02}. {m:02}. {y}",
    "{m}/{y}",
)

FORMS: dict[str, dict[str, Maker]] = {
    "order": {
        "7 digits": lambda rng: digits(rng, 7),
        "9 digits": lambda rng: digits(rng, 9),
        "10 digits": lambda rng: digits(rng, 10),
        "shop": lambda rng: f"{digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}",
        "year": lambda rng: f"{rng.randint(2019, 2027)}-{digits(rng, 6)}",
        "letters": lambda rng: f"{some(rng, 2, string.ascii_uppercase)}{digits(rng, 8)}",
        "hash": lambda rng: f"#{digits(rng, 6)}",
        "zeros": lambda rng: f"000{digits(rng, 7)}",
        "long": lambda rng: digits(rng, 12),
    },
    "invoice": {
        "INV": lambda rng: f"INV-{rng.randint(2019, 2027)}-{digits(rng, 5)}",
        "RE": lambda rng: f"RE{rng.randint(2019, 2027)}/{digits(rng, 4)}",
        "slash": lambda rng: f"{rng.randint(2019, 2027)}/{digits(rng, 3)}/{digits(rng, 4)}",
        "number": lambda rng: digits(rng, 8),
        "dots": lambda rng: f"{digits(rng, 2)}.{digits(rng, 4)}.{digits(rng, 3)}",
    },
    "amount": {"amount": _amount},
    "date": {form: _dated(form) for form in DATES},
    "time": {"time": _time},
    "iso": {"iso": _iso},
    "epoch": {"s": lambda rng: str(rng.randint(1_500_000_000, 1_800_000_000)), "ms": lambda rng: f"1{digits(rng, 12)}"},
    "version": {
        "three": lambda rng: f"{rng.randint(0, 20)}.{rng.randint(0, 40)}.{rng.randint(0, 99)}",
        "v": lambda rng: f"v{rng.randint(0, 20)}.{rng.randint(0, 40)}.{rng.randint(0, 99)}",
        "candidate": lambda rng: f"{rng.randint(1, 9)}.{rng.randint(0, 20)}.0-rc.{rng.randint(1, 9)}",
        "build": lambda rng: f"{rng.randint(1, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}+{digits(rng, 6)}",
        "v four": lambda rng: f"v{rng.randint(1, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}",
        "calendar": lambda rng: f"{rng.randint(2020, 2027)}.{rng.randint(1, 12)}.{rng.randint(0, 9)}",
    },
    "version4": {
        "small": lambda rng: ".".join(str(rng.randint(0, 30)) for _ in range(4)),
        "chrome": lambda rng: f"{rng.randint(90, 140)}.0.{digits(rng, 4)}.{rng.randint(20, 250)}",
    },
    "tracking": {
        "ups": lambda rng: f"1Z{some(rng, 6, string.digits + string.ascii_uppercase)}{digits(rng, 10)}",
        "dhl": lambda rng: f"00340{digits(rng, 15)}",
        "usps": lambda rng: f"9400 {digits(rng, 4)} {digits(rng, 4)} {digits(rng, 4)} {digits(rng, 4)} {digits(rng, 2)}",
        "fedex": lambda rng: f"{digits(rng, 4)} {digits(rng, 4)} {digits(rng, 4)}",
        "post": lambda rng: f"RR{digits(rng, 9)}DE",
        "12 digits": lambda rng: digits(rng, 12),
        "jd": lambda rng: f"JD0{digits(rng, 17)}",
    },
    "uuid": {"uuid": lambda rng: "-".join(hexes(rng, n) for n in (8, 4, 4, 4, 12)), "bare": _hash(32)},
    "isbn": {
        "13": _isbn13,
        "10": lambda rng: f"{rng.choice('0123')}-{digits(rng, 3)}-{digits(rng, 5)}-{rng.choice('0123456789X')}",
        "10 bare": lambda rng: rng.choice("0123") + digits(rng, 9),
    },
    "ean": {
        "4": lambda rng: _ean(rng, "40"),
        "5": lambda rng: _ean(rng, "5"),
        "7": lambda rng: _ean(rng, "76"),
        "upc": lambda rng: "0" + digits(rng, 11),
        "8": lambda rng: _ean(rng, "42", 8),
    },
    "long": {f"{n} digits": _no_luhn(n) for n in (8, 10, 12, 13, 14, 16, 19)}
    | {"fours": lambda rng: f"{_no_luhn(8)(rng)[:4]} {digits(rng, 4)}"},
    "flight": {"LH": lambda rng: f"{rng.choice(['LH', 'BA', 'U2', 'IB', 'AF'])}{rng.choice(['', ' '])}{digits(rng, rng.choice([3, 4]))}"},
    "booking": {
        "pnr": lambda rng: some(rng, 6, string.ascii_uppercase + string.digits),
        "digits": lambda rng: f"{digits(rng, 4)}.{digits(rng, 3)}.{digits(rng, 3)}",
    },
    "range": {
        "to": lambda rng: f"{rng.randint(1, 99)}-{rng.randint(100, 999)}",
        "dash": lambda rng: f"{rng.randint(1, 99)} – {rng.randint(100, 999)}",
        "one": lambda rng: str(rng.randint(1, 400)),
        "points": lambda rng: f"{rng.randint(1, 99)}.{rng.randint(0, 9)}-{rng.randint(1, 99)}.{rng.randint(0, 9)}",
        "large": lambda rng: f"{rng.randint(1000, 9999)}-{rng.randint(10000, 99999)}",
    },
    "hash": {f"{n}": _hash(n) for n in (7, 8, 32, 40, 64)},
    "mac": {
        "colons": lambda rng: ":".join(hexes(rng, 2) for _ in range(6)),
        "dashes": lambda rng: "-".join(hexes(rng, 2) for _ in range(6)).upper(),
        "dots": lambda rng: ".".join(hexes(rng, 4) for _ in range(3)),
    },
    "coords": {
        "decimal": lambda rng: f"{rng.uniform(-89, 89):.6f}, {rng.uniform(-179, 179):.6f}",
        "few": lambda rng: f"({rng.uniform(0, 89):.4f},{rng.uniform(0, 179):.4f})",
        "degrees": lambda rng: f"{_arc(rng, 89)}N {_arc(rng, 179)}E",
        "signed": lambda rng: f"+{rng.uniform(1, 89):.4f} -{rng.uniform(1, 179):.4f}",
    },
    "sum": {"sum": _sum},
    "big": {"comma": _grouped(","), "point": _grouped("."), "space": _grouped(" "), "none": _grouped(""), "swiss": _grouped("'")},
    "bic": {"bic": lambda rng: f"{some(rng, 4, string.ascii_uppercase)}DEFF{rng.choice(['', 'XXX', '500'])}"},
    "part": {
        "dashes": lambda rng: f"{digits(rng, 3)}-{digits(rng, 4)}-{some(rng, 2, string.ascii_uppercase)}",
        "dots": lambda rng: f"{digits(rng, 3)}.{digits(rng, 3)}.{digits(rng, 2)}",
        "vw": lambda rng: f"{digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)} A",
    },
    "case": {
        "court": lambda rng: f"{rng.randint(1, 30)} O {digits(rng, 3)}/{rng.randint(10, 27)}",
        "slash": lambda rng: f"{digits(rng, 2)}/{digits(rng, 4)}/{rng.randint(2010, 2027)}",
        "number": lambda rng: f"{digits(rng, 5)}-{digits(rng, 2)}",
    },
    "handle": {"handle": lambda rng: rng.choice(["maria_k", "dev-tom", "acme", "j0hn", "ops.team"])},
    "code": {f"{number}": _always(text) for number, text in enumerate(CODE)},
}
