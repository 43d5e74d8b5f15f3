"""Links of the report: addresses of the web and nothing else, whatever traces claim."""

import pytest

from intent_assets.intents.intent_report import web_address


@pytest.mark.parametrize("url", ["https://langfuse.example.com/project/p/traces/1?a=1&b=2", "http://127.0.0.1:3000/x"])
def test_addresses_of_the_web_are_links(url: str) -> None:
    assert web_address(url) == url


NO_LINKS = [
    None,
    "",
    "javascript:alert(1)",
    "java\nscript:x",
    " https://example.com",
    "https://example.com/a b",
    "https://example.com/\x00",
    "https://",
    "//example.com",
    "file:///etc",
    "http://[broken",
]


@pytest.mark.parametrize("url", NO_LINKS)
def test_anything_else_is_none(url: str | None) -> None:
    assert web_address(url) is None
