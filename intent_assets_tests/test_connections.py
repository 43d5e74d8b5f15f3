"""Connections by the settings: what is wrong with an address is told, and its secrets are not."""

import pytest

from intent_assets.connections import langfuse_connection, langsmith_connection
from intent_assets.errors import BadInput
from intent_assets.settings import Settings, read_settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGSMITH_API_KEY"):
        monkeypatch.setenv(name, "x")
    return read_settings({"INTENT_SOURCE": "langfuse"})


@pytest.mark.parametrize("address", ["https://ada:s3cret@traces.example.com", "https://s3cret@traces.example.com/api"])
def test_an_address_with_a_login_is_refused_and_not_told(settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """It would be stored with every link and receipt."""
    monkeypatch.setenv("LANGFUSE_BASE_URL", address)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", address)
    for connect, name in ((lambda: langfuse_connection(settings), "LANGFUSE_BASE_URL"), (langsmith_connection, "LANGSMITH_ENDPOINT")):
        with pytest.raises(BadInput, match=f"{name}: expected an address without user and password") as raised:
            connect()
        assert "s3cret" not in str(raised.value)
