"""What the picture of a training job is made of; how it looks is for eyes."""

import io

import pytest

from intent_assets.pictures_training import losses
from intent_assets.training_contracts import Checkpoint


@pytest.mark.parametrize("n", [0, 1, 5, 60])
def test_losses_of_any_number_of_checkpoints_are_a_picture(n: int) -> None:
    from PIL import Image

    points = [Checkpoint(20 * k, 3.0 / k, None if k % 2 else 3.2 / k, 1 - 1 / k) for k in range(1, n + 1)]
    content = losses(points, "training")
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "PNG" and picture.width == 825 and picture.height > 300 and len(content) < 100_000


def test_more_checkpoints_are_another_picture() -> None:
    one, two = Checkpoint(10, 2.0, 2.1, 0.4), Checkpoint(20, 1.0, 1.2, 0.7)
    assert losses([one], "t") != losses([one, two], "t") != losses([one, Checkpoint(20, 1.0, None, None)], "t")
