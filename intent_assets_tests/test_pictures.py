"""What is drawn and in which order; how it looks is for eyes."""

import io
from datetime import date, timedelta

import numpy as np

from intent_assets.pictures import _confused_first, confusion, money, quality_steps


def test_confused_intents_stand_side_by_side() -> None:
    matrix = np.eye(60, dtype=np.int64) * 9
    matrix[3, 50] = 7
    matrix[50, 17] = 5
    matrix[20, 21] = 1
    drawn = _confused_first(matrix, 50)
    assert len(drawn) == len(set(drawn)) == 50
    assert drawn[:3] in ([3, 50, 17], [17, 50, 3])
    assert abs(drawn.index(20) - drawn.index(21)) == 1


def test_a_matrix_without_mistakes_is_drawn_whole() -> None:
    assert _confused_first(np.eye(4, dtype=np.int64), 50) == [0, 1, 2, 3]


def test_confusion_of_many_intents_is_a_picture() -> None:
    from PIL import Image

    matrix = np.random.default_rng(0).integers(0, 2, (120, 120)) + np.eye(120, dtype=np.int64) * 8
    picture = Image.open(io.BytesIO(confusion(matrix, [f"intent_{i}" for i in range(120)], "title")))
    assert picture.format == "PNG" and min(picture.size) > 900


def test_quality_of_any_number_of_steps_is_a_picture_that_a_page_holds() -> None:
    from PIL import Image

    for quality in ([], [None], [60, None, 100], [*range(50)]):
        kinds = ["update"] * len(quality)
        picture = Image.open(io.BytesIO(quality_steps(kinds, quality, "quality of the taxonomy per step")))
        assert picture.format == "PNG" and 400 < picture.width <= 1250 and picture.height > 200


def test_money_of_any_days_and_runs_is_a_picture() -> None:
    from PIL import Image

    days = [date(2026, 11, 21) - timedelta(days=back) for back in range(29, -1, -1)]
    cases: list[tuple[dict[str, list[float]], list[tuple[str, float | None, float]]]] = [
        ({}, []),
        ({"taxonomy": [0.0] * 29 + [0.02]}, [("1a2b3c4d", None, 0.02)]),
        ({name: [0.1] * 30 for name in ("llm_labels", "summaries", "taxonomy")}, [(f"run{n}", 0.3, 0.29) for n in range(8)]),
    ]
    for by_asset, runs in cases:
        picture = Image.open(io.BytesIO(money(days, by_asset, runs, "paid to the hosted teacher")))
        assert picture.format == "PNG" and picture.width == 1100 and picture.height > 300
