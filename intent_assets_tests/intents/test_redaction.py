import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
