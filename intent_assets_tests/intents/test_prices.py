import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent_assets.errors import BadInput
from intent_assets.intents.prices import Usage, cost_usd, read_prices

MILLION = 1_000_000
LONG = {"input_tokens": MILLION}
COUNTS = st.integers(0, 300_000)


def of_a_million(model: str, kind: str, *, batch: bool = False) -> float:
    """Dollars for a million tokens of one kind, sent as ten calls of a hundred thousand."""
    return 10 * cost_usd(Usage(**{kind: 100_000}), read_prices().of(model), batch=batch)


@pytest.mark.parametrize(
    ("model", "dollars_in", "dollars_out", "write_5m", "write_1h", "read"),
    [
        ("claude-haiku-5-5", 0.10, 0.50, 0.125, 0.20, 0.01),
        ("claude-sonnet-5-5", 2.00, 10.00, 2.50, 4.00, 0.20),
        ("claude-opus-5-5", 4.00, 20.00, 5.00, 8.00, 0.40),
        ("claude-fable-5-1", 10.00, 50.00, 12.50, 20.00, 1.00),
        ("claude-opus-5", 5.00, 25.00, 6.25, 10.00, 0.50),
        ("claude-haiku-4-5", 1.00, 5.00, 1.25, 2.00, 0.10),
    ],
)
def test_a_million_tokens_cost_what_the_vendor_says(
    model: str, dollars_in: float, dollars_out: float, write_5m: float, write_1h: float, read: float
) -> None:
    kinds = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_write_1h_tokens", "cache_read_tokens")
    said = (dollars_in, dollars_out, write_5m, write_1h, read)
    assert [of_a_million(model, kind) for kind in kinds] == pytest.approx(said)
    assert [of_a_million(model, kind, batch=True) for kind in kinds] == pytest.approx([usd / 2 for usd in said])


def test_the_table_has_these_models_and_no_more() -> None:
    assert set(read_prices().models) == {
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
        "claude-fable-5-1",
        "claude-opus-5",
        "claude-haiku-4-5",
    }


@pytest.mark.parametrize(
    ("model", "context", "max_output", "min_cacheable"),
    [
        ("claude-haiku-5-5", MILLION, 128_000, 512),
        ("claude-sonnet-5-5", MILLION, 128_000, 512),
        ("claude-opus-5-5", MILLION, 128_000, 512),
        ("claude-fable-5-1", MILLION, 128_000, None),
        ("claude-opus-5", MILLION, 128_000, 512),
        ("claude-haiku-4-5", 200_000, 64_000, 4_096),
    ],
)
def test_what_a_model_takes(model: str, context: int, max_output: int, min_cacheable: int | None) -> None:
    price = read_prices().of(model)
    assert (price.context, price.max_output, price.min_cacheable_tokens) == (context, max_output, min_cacheable)
    assert (price.as_of, price.batch_discount) == (date(2026, 11, 21), 0.5)


def test_a_million_in_and_a_million_out_on_haiku_cost_sixty_cents() -> None:
    assert of_a_million("claude-haiku-5-5", "input_tokens") + of_a_million("claude-haiku-5-5", "output_tokens") == pytest.approx(0.60)


def test_haiku_is_five_times_dearer_above_a_hundred_thousand_prompt_tokens() -> None:
    haiku = read_prices().of("claude-haiku-5-5")
    assert cost_usd(Usage(100_000, 1_000), haiku, batch=False) == pytest.approx(0.0105)
    assert cost_usd(Usage(100_001, 1_000), haiku, batch=False) == pytest.approx(0.0525005)
    assert cost_usd(Usage(MILLION, MILLION), haiku, batch=False) == pytest.approx(3.00)
    assert cost_usd(Usage(MILLION, MILLION), haiku, batch=True) == pytest.approx(1.50)


@pytest.mark.parametrize("kind", ["cache_write_tokens", "cache_write_1h_tokens", "cache_read_tokens"])
def test_cached_tokens_count_for_the_tier_but_answers_do_not(kind: str) -> None:
    haiku = read_prices().of("claude-haiku-5-5")
    one_more = cost_usd(Usage(**{"input_tokens": 1, kind: 100_000}), haiku, batch=False)
    assert one_more > 4 * cost_usd(Usage(**{kind: 100_000}), haiku, batch=False)
    assert cost_usd(Usage(output_tokens=100_001), haiku, batch=False) == pytest.approx(100_001 * 0.5e-6)


def test_a_real_call_with_every_kind_of_token() -> None:
    usage = Usage(input_tokens=200, output_tokens=50, cache_write_tokens=1_000, cache_write_1h_tokens=2_000, cache_read_tokens=3_000)
    dollars = (200 * 2 + 50 * 10 + 1_000 * 2.5 + 2_000 * 4 + 3_000 * 0.2) / MILLION
    assert cost_usd(usage, read_prices().of("claude-sonnet-5-5"), batch=False) == pytest.approx(dollars)
    assert (usage.prompt_tokens, usage.n_tokens) == (6_200, 6_250)


@given(st.lists(st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), max_size=6))
def test_usage_adds_up_kind_by_kind(parts: list[Usage]) -> None:
    total = sum(parts, Usage())
    assert total.output_tokens == sum(part.output_tokens for part in parts)
    assert total.prompt_tokens == sum(part.prompt_tokens for part in parts)
    assert total.cache_read_tokens == sum(part.cache_read_tokens for part in parts)


@given(st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_more_tokens_never_cost_less(one: Usage, more: Usage) -> None:
    for price in read_prices().models.values():
        assert cost_usd(one + more, price, batch=False) >= cost_usd(one, price, batch=False)


@pytest.mark.parametrize("count", [-1, 1.5, True, None, "3"])
def test_a_usage_of_anything_but_counts_is_refused(count: object) -> None:
    with pytest.raises(BadInput, match="whole numbers from 0"):
        Usage(cache_read_tokens=count)  # type: ignore[arg-type]


def test_the_dated_id_of_a_model_has_its_price() -> None:
    assert read_prices().of("claude-haiku-4-5-20251001") is read_prices().of("claude-haiku-4-5")


def test_an_unknown_model_is_refused_with_those_known_and_the_file() -> None:
    with pytest.raises(BadInput, match=r"'claude-fable-5-2'.*claude-fable-5-1.*claude-sonnet-5-5.*prices\.yaml"):
        read_prices().of("claude-fable-5-2")


def write(path: Path, models: str) -> Path:
    path.write_text(f"as_of: 2026-12-24\nsource: our contract\nmodels:\n{models}", "utf-8")
    return path


def test_a_users_file_changes_only_what_it_names(tmp_path: Path) -> None:
    mine = read_prices(write(tmp_path / "mine.yaml", "  claude-haiku-5-5: {input: 0.08, batch_discount: 0.6}\n"))
    haiku, ours = mine.of("claude-haiku-5-5"), read_prices().of("claude-haiku-5-5")
    assert (haiku.tiers[0].input, haiku.tiers[0].output, haiku.batch_discount) == (0.08, 0.50, 0.6)
    assert haiku.tiers[1] == ours.tiers[1]
    assert (haiku.as_of, haiku.source, mine.as_of) == (date(2026, 12, 24), "our contract", date(2026, 11, 21))
    assert mine.of("claude-opus-5") == read_prices().of("claude-opus-5")
    assert ours.tiers[0].input == 0.10


NEW = (
    "  my-model: {input: 1, output: 2, cache_write_5m: 3, cache_write_1h: 4, cache_read: 5,"
    " batch_discount: 0, min_cacheable_tokens: null, context: 1000, max_output: 100%s}\n"
)


def test_a_users_file_brings_a_model_and_an_edit_of_it_shows_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", NEW % "")
    assert cost_usd(Usage(**LONG), read_prices(path).of("my-model"), batch=True) == pytest.approx(1.0)
    write(path, NEW.replace("input: 1", "input: 7") % "")
    assert cost_usd(Usage(**LONG), read_prices(path).of("my-model"), batch=True) == pytest.approx(7.0)
    with pytest.raises(BadInput, match=r"my-model.*prices\.yaml, .*mine\.yaml"):
        read_prices(path).of("no-such-model")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("  claude-haiku-5-5: {inptu: 0.08}\n", r"claude-haiku-5-5: expected the fields .*not known \['inptu'\]"),
        ("  my-model: {input: 1}\n", "my-model: expected the fields .*missing .*'output'"),
        ("  claude-haiku-5-5: {input: -1}\n", "input: expected a number from 0, came -1"),
        ("  claude-haiku-5-5: {input: .nan}\n", "input: expected a number from 0, came nan"),
        ("  claude-haiku-5-5: {input: '0.1'}\n", "input: expected a number"),
        ("  claude-haiku-5-5: {batch_discount: 50}\n", "batch_discount: expected a number from 0 to 1, came 50"),
        ("  claude-haiku-5-5: {context: 1.5}\n", "context: expected a whole number of tokens"),
        ("  claude-haiku-5-5: {above: 3}\n", "above: expected a list"),
        ("  claude-haiku-5-5: {above: [{prompt_tokens: 5}]}\n", "above: expected the fields .*missing"),
        ("  claude-haiku-5-5: 3\n", "claude-haiku-5-5: expected the fields"),
        ("  - claude-haiku-5-5\n", "models: expected model ids"),
        ("  claude-haiku-5-5: {input: [}\n", "expected YAML"),
    ],
)
def test_a_users_file_that_cannot_be_right_is_refused(tmp_path: Path, models: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_prices(write(tmp_path / "mine.yaml", models))


def test_tiers_must_ascend(tmp_path: Path) -> None:
    tier = "{prompt_tokens: %d, input: 1, output: 2, cache_write_5m: 3, cache_write_1h: 4, cache_read: 5}"
    ascending = NEW % f", above: [{tier % 10}, {tier % 20}]"
    assert [t.above_prompt_tokens for t in read_prices(write(tmp_path / "mine.yaml", ascending)).of("my-model").tiers] == [0, 10, 20]
    with pytest.raises(BadInput, match="expected ascending prompt_tokens, came 10 after 20"):
        read_prices(write(tmp_path / "mine.yaml", NEW % f", above: [{tier % 20}, {tier % 10}]"))


@pytest.mark.parametrize("as_of", ["yesterday", "2026-11-21 10:00:00", "2026-13-01", "null"])
def test_prices_must_be_dated(tmp_path: Path, as_of: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"as_of: {as_of}\nsource: us\nmodels:\n  claude-haiku-5-5: {{input: 1}}\n", "utf-8")
    with pytest.raises(BadInput, match=r"as_of|expected YAML"):
        read_prices(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.yaml: expected a price file"):
        read_prices(tmp_path / "none.yaml")


def test_the_table_is_part_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert "intents/*.yaml" in project["tool"]["setuptools"]["package-data"]["intent_assets"]
