import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.personal_data import measured
from benchmarks.personal_data_cases import Case, Planted, constructed
from intent_assets.intents.redaction import excerpt, redact, redact_counted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to ana.b+x@example.co.uk.", "write to [email]."),
        ("an Jörg@müller-example.de bitte", "an [email] bitte"),
        ("call +49 30 901820 today", "call [phone] today"),
        ("(415) 555-2671 or 415-555-2671", "[phone] or [phone]"),
        ("phone 07700 900123, please", "phone [phone], please"),
        ("mobil 0151 1234 5678", "mobil [phone]"),
        ("ring 0044 20 7946 0958", "ring [phone]"),
        ("tel 555-0123", "tel [phone]"),
        ("card 4111 1111 1111 1111!", "card [card]!"),
        ("5555555555554444", "[card]"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [iban]."),
        ("GB82WEST12345698765432", "[iban]"),
        ("from 192.168.0.1, 2001:db8::1 and ::1", "from [ip], [ip] and [ip]"),
        ("http://10.0.0.7:8080/x", "http://[ip]:8080/x"),
        ("sk-lf-22b46cb9-5a7c-40fb", "[key]"),
        ("pk-lf-2aeebf3b-35bf-448a", "[key]"),
        ("sk-ant-api03-AbCdEfGhIj_k", "[key]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("xoxb-1234567890-abcdef", "[key]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF", "[key]"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [key]"),
    ],
)
def test_personal_data_and_secrets_go(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "order 4711, 123456789 or 1234567890123456",  # fails Luhn
        "on 2026-11-20 at 12:30, or 12.11.2026, 01-02-2026, 20/11/26",
        "2026-11-21T06:08:31.343Z",
        "EUR 1.234,56 and 129.99, version 1.2.3, room 212, seat 14C",
        "trace 54341ecda7dc7d009add247778ebffc1",
        "69ec9f60-a0fc-4559-b5f5-9620e436949c",
        "flight LH 1234, booking AB12CD, 2 adults 12 nights",
        "risk-based-management-approach and a task-oriented-assistant-with-words",
        "0.5 or 0.75 or 00:30",
        "999.1.2.3 is no address",
        "what's the bearer of this ring",
        "no digits at all: just, words",
    ],
)
def test_plain_numbers_stay(text: str) -> None:
    assert redact_counted(text) == (text, {})


def test_counts_are_by_kind() -> None:
    text, counts = redact_counted("a@example.com b@example.com 4111111111111111 10.0.0.1")
    assert text == "[email] [email] [card] [ip]"
    assert counts == {"email": 2, "card": 1, "ip": 1}


def test_an_excerpt_is_redacted_before_it_is_cut() -> None:
    text = "x" * 190 + " 4111 1111 1111 1111"
    assert "4111" not in excerpt(text)
    assert excerpt("a  b\n\n c\t") == "a b c"
    assert len(excerpt("word " * 100)) <= 200
    assert excerpt("word " * 100).endswith("…")
    assert len(excerpt("word " * 100, 60)) <= 60
    assert len(excerpt("1" * 1_000_000)) == 200


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("0123456789+-. ()@:abAZ"), max_size=60))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    assert len(excerpt(text)) <= 200


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        # E-mail as people and programs write it.
        ("?email=ana%40example.com&x=1", "?email=[email]&x=1"),
        ("anna [at] example [dot] com, ann@aol dot com", "[email], [email]"),
        ("<o'neill@mail.example.org>;'x@y.de'", "<[email]>;'[email]'"),
        ("a@xn--mller-kva.de, иван@пример.рф", "[email], [email]"),
        # Telephone numbers beside other digits, without a leading zero, announced.
        ("llámame al 612 34 56 78", "llámame al [phone]"),
        ("Lucía\n810 17 96 78\nMadrid", "Lucía\n[phone]\nMadrid"),
        ("08-14 59 03 is Stockholm", "[phone] is Stockholm"),
        ("their number is +1 323-852-7000 $156", "their number is [phone] $156"),
        ("x@y.de, 2015550123", "[email], [phone]"),
        ("2015550123 rang me twice", "[phone] rang me twice"),
        ("+49 (0) 30 901820 / 0151 1234567", "[phone] / [phone]"),
        # Cards with other gaps, beside the date of expiry.
        ("4111 1111 1111 1111 09/27", "[card] 09/27"),
        ("6011\u00a01111\u00a01111\u00a01117", "[card]"),
        ("4111.1111.1111.1111", "[card]"),
        # Accounts.
        ("auf gb82 west 1234 5698 7654 32 bitte", "auf [iban] bitte"),
        ("568.55 USD a DE89370400440532013000, factura", "568.55 USD a [iban], factura"),
        ("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000", "[iban]"),
        # Network addresses.
        ("::ffff:30.218.201.20/64", "[ip]/64"),
        ("allow 10.1.2.0/24, release 2.1.0 on 10.0.0.7", "allow [ip]/24, release 2.1.0 on [ip]"),
        # Secrets.
        ("h" + "f_" + "abcdefghijklmnopqrstuvwxyzabcdefgh", "[key]"),
        ("aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [key]"),
        ("PASSWORD = 'Hy^ed03Sc)dd1wWnk'", "PASSWORD = '[key]'"),
        ("postgres://bob:hunter2x@db.example.com/app", "postgres://bob:[key]@db.example.com/app"),
        ("-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSj\n-----END PRIVATE KEY----- ok", "[key] ok"),
    ],
)
def test_personal_data_in_other_clothes_goes(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "![logo](img/logo@2x.png) and git@github.com:acme/app.git",
        "section 10.1.2.3, firmware 22.6.10.13, latest is 1.27.23.28",
        "Chrome version 114.0.5735.90 to 115.0.5790.110 and Chrome/120.0.0.0",
        "x[::2] and a[10::2], a :: b, std::vector, .a::before",
        "00:1a:2b:3c:4d:5e at 12:30:45",
        "+54.2623 -53.6796 and 52.520008, 13.404954",
        'viewBox="0 0 980 820" and 499386 0 499387 0 499388 0 499389 -20',
        "score 3-2 2-1 6-4 7-5 6-3",
        "9400 2603 4664 1715 5835 39",  # a parcel, with what passes for a card in it
        "my policy number is 984361047, call me",
        "ISBN 0-707-58480-8 by email",
        "credit card number 4657 2634 0157 4975",  # fails Luhn, and no half of it is a telephone number
        "sk-learn-contrib-package-2024",
        "password = get_password_v2(user)",
        "25 07 2025 10.09 524.97",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert redact_counted(text) == (text, {})


def test_the_constructed_set_is_redacted_well() -> None:
    rows, _ = measured(constructed(400, seed=5))
    for row in rows:
        if row["kind"] == "all":
            assert row["planted"] > 80
            assert row["recall"] >= 0.98, row
            assert row["precision"] >= 0.95, row


def test_what_is_wrong_is_counted() -> None:
    text = "write to a@example.com or b@example"
    case = Case(text, (Planted("email", 9, 22, "plain"), Planted("email", 26, 35, "none")), "build", "t")
    rows, findings = measured([case, Case("call 2015550123", (), "build", "t")])
    found = next(row for row in rows if (row["half"], row["kind"]) == ("build", "all"))
    assert (found["planted"], found["found"], found["recall"]) == (2, 1, 0.5)
    assert (found["marks"], found["false_alarms"], found["precision"]) == (2, 1, 0.5)
    assert [(finding.problem, finding.piece) for finding in findings] == [("missed", "b@example"), ("false_alarms", "2015550123")]


@pytest.mark.parametrize(
    "piece", ["1 ", "123 ", "612 34 56 7 ", "1.", "0151 234 ", "DE12 ", "sk-", "a@", "12:", "-----BEGIN PRIVATE KEY-----1"]
)
def test_long_texts_take_no_longer_than_their_length(piece: str) -> None:
    def seconds(n_chars: int) -> float:
        start = time.perf_counter()
        redact(piece * (n_chars // len(piece)))
        return time.perf_counter() - start

    seconds(2_000)
    assert seconds(40_000) < 25 * max(seconds(8_000), 0.01)  # five times as long; a square would take 25 times


PIECES = st.sampled_from(
    [
        *("a@b.de", "x [at] y.com", "+49 30 901820", "0151 1234 567", "call 2015550123", "4111 1111 1111 1111"),
        *("DE89 3704 0044 0532 0130 00", "10.0.0.7", "fe80::1a", "token=abcdefgh12345678", "Bearer abc12345", "order 4711"),
        *("[email]", "+", " ", "-", "(", "::", "https://u:"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.text("0123456789 +-.()@:/aZ", max_size=4), max_size=8).map("".join))
def test_pieces_put_together_are_redacted_once_and_for_all(text: str) -> None:
    once, counts = redact_counted(text)
    assert redact_counted(once) == (once, {})
    assert len(once) <= len(text) + 4 * sum(counts.values())
