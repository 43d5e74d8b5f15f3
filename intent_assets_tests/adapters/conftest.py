"""What tests of several adapters need."""

from pathlib import Path

import pytest

from intent_assets.adapters import langfuse_observations, langfuse_traces, langsmith_runs


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder for a store, not made yet."""
    return tmp_path / "store"


@pytest.fixture
def small_langfuse_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of Langfuse's lists of a few rows."""
    monkeypatch.setattr(langfuse_observations, "ROWS", 10)
    monkeypatch.setattr(langfuse_observations, "FEWER_ROWS", 5)
    monkeypatch.setattr(langfuse_observations, "SCORE_ROWS", 7)
    monkeypatch.setattr(langfuse_traces, "ROWS", 5)
    monkeypatch.setattr(langfuse_traces, "FEWER_ROWS", 1)
    monkeypatch.setattr(langfuse_traces, "PAGES_AT_ONCE", 2)


@pytest.fixture
def small_langsmith_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of LangSmith's queries of a few runs."""
    monkeypatch.setattr(langsmith_runs, "NEW_ROWS", 10)
    monkeypatch.setattr(langsmith_runs, "FEWER_ROWS", 5)
    monkeypatch.setattr(langsmith_runs, "OLD_ROWS", 5)
    monkeypatch.setattr(langsmith_runs, "PAGES_AT_ONCE", 2)
