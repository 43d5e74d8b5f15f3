"""What is drawn and in which order; how it looks is for eyes."""

import io

import numpy as np

from intent_assets.pictures import _confused_first, confusion


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
