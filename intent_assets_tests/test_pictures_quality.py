"""Pictures of quality are drawn for any number of intents, with a length that a page holds; how they look is for eyes."""

import io

import numpy as np
import pytest

from intent_assets.intents.evaluation import Bin
from intent_assets.intents.intervals import Interval, wilson
from intent_assets.intents.volumes import Volume
from intent_assets.pictures_quality import MAX_VOLUMES, reliability, volumes


def size_of(png: bytes) -> tuple[int, int]:
    from PIL import Image

    assert len(png) < 100_000
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return picture.size


@pytest.mark.parametrize("n_bins", [1, 15])
def test_reliability(n_bins: int) -> None:
    sure = np.linspace(0.4, 0.99, n_bins).tolist()
    assert min(size_of(reliability([Bin(c, c * 0.9, 40, wilson(c * 0.9, 40)) for c in sure], "title"))) > 500


def test_volumes_of_any_number_of_intents_are_no_longer_than_a_page() -> None:
    heights = []
    for k in (1, 3, 30, 150):
        found = [Volume(f"i{i}", 10, 1 / k, 1 / k, Interval(0.5 / k, 1 / k)) for i in range(k)]
        width, height = size_of(volumes(found, [f"a_rather_long_name_of_an_intent_that_goes_on_and_on_{i}" for i in range(k)], "title"))
        heights.append(height)
        assert width == 880
    assert heights[0] <= heights[1] < heights[2] == heights[3] < 110 * (0.26 * MAX_VOLUMES + 2)
