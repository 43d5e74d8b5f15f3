import re
from pathlib import Path

import pytest

from intent_assets.errors import BadInput
from intent_assets.settings import Settings, env_name, project_root, read_settings


def test_defaults_need_nothing() -> None:
    assert read_settings({}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("INTENT_TIMEZONE", "Mars/Olympus", "expected an IANA time zone"),
        ("INTENT_START_DATE", "01.02.2026", "expected a day as YYYY-MM-DD"),
        ("INTENT_SOURCE", "s3", "expected sample or files:<path or glob>"),
        ("INTENT_SINK", "kafka", "expected none or files:<folder>"),
        ("INTENT_TEACHER", "gpt", "'offline' or 'anthropic'"),
        ("INTENT_MAX_INTENTS", "0", "greater than or equal to 1"),
        ("INTENT_LANGFUSE_PLAN", "free", "'self-hosted', 'hobby', 'core' or 'pro'"),
        ("INTENT_OVERLAP_MINUTES", "0", "greater than or equal to 1"),
        ("INTENT_MIN_ACCURACY", "many", "valid number"),
    ],
)
def test_a_wrong_value_is_told_with_name_expectation_and_example(name: str, value: str, expected: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_settings({name: value})
    message = str(raised.value)
    assert name in message
    assert expected in message
    assert f"Example: {name}=" in message


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(BadInput, match="Unknown setting INTENT_STROE"):
        read_settings({"INTENT_STROE": "x"})


def test_overrides_win_and_none_is_no_override() -> None:
    settings = read_settings({"INTENT_STORE": "a", "INTENT_SEED": "3"}, store="b", seed=None)
    assert (settings.store, settings.seed) == ("b", 3)


def test_relative_paths_start_at_the_project_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert project_root() == tmp_path
    assert read_settings({"INTENT_PROJECT": "shop"}).store_uri == str(tmp_path / "intent_store" / "shop")
    assert read_settings({"INTENT_STORE": "s3://bucket/x"}).store_uri == "s3://bucket/x"


def test_the_dot_env_file_is_read_under_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / ".env").write_text("INTENT_SEED=5\nINTENT_MAX_INTENTS=9\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTENT_SEED", "6")
    settings = read_settings()
    assert (settings.seed, settings.max_intents) == (6, 9)


def test_a_config_overrides_settings_where_it_says_something() -> None:
    chosen = read_settings({}).chosen({"seed": 4, "max_intents": None})
    assert (chosen.seed, chosen.max_intents) == (4, Settings().max_intents)


def test_lists_are_separated_by_commas() -> None:
    settings = read_settings({"INTENT_USERS": "u1, u2 ,", "INTENT_TRACE_TAGS": "shop"})
    assert (settings.users, settings.trace_tags, settings.environments) == (("u1", "u2"), ("shop",), ())
    assert settings.chosen({"seed": 1}).users == ("u1", "u2")


def test_readme_and_example_file_name_every_setting() -> None:
    root = Path(__file__).parent.parent
    for document in (root / "README.md", root / ".env.example"):
        text = document.read_text("utf-8")
        missing = [env_name(field) for field in Settings.model_fields if env_name(field) not in text]
        assert not missing, f"{document.name} lacks {missing}"


def test_readme_tells_every_default() -> None:
    told = dict(re.findall(r"^\| `(INTENT_[A-Z_]+)` \| (?:`([^`]*)`)? ?\|", (project_root() / "README.md").read_text("utf-8"), re.M))
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        shown = "" if default in (None, ()) else str(default).lower() if isinstance(default, bool) else str(default)
        assert told[env_name(name)] == shown, name
