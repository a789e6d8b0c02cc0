import numpy as np
import pytest
from PIL import Image

from maskkit.improve import occluders

GREY = Image.new("RGB", (90, 120), (128, 128, 128))


def changed(occluder, seed=0):
    """bool (side, side): where an occluder changed a grey photo."""
    drawn = occluders.draw(GREY, (occluder,), np.random.default_rng(seed))
    assert drawn.mode == "RGB" and drawn.size == (occluders.SIDE_PX, occluders.SIDE_PX)
    return (np.abs(np.asarray(drawn, dtype=int) - 128) > 8).any(2)


def centre(occluder):
    """Mean row of what 20 drawings change, and the share of the photo that they change, as shares."""
    where = np.mean([changed(occluder, seed) for seed in range(20)], axis=0)
    rows = np.arange(occluders.SIDE_PX) / occluders.SIDE_PX
    return (where.sum(1) * rows).sum() / where.sum(), where.mean()


@pytest.mark.parametrize("occluder", [*occluders.BELOW, occluders.mask], ids=lambda one: one.__name__)
def test_what_hides_a_mouth_lies_below_the_middle_and_leaves_the_eyes(occluder):
    row, share = centre(occluder)
    assert row > 0.55 and 0.005 < share < 0.5


@pytest.mark.parametrize("occluder", occluders.ABOVE, ids=lambda one: one.__name__)
def test_what_a_masked_face_gets_lies_above_the_middle(occluder):
    row, share = centre(occluder)
    assert row < 0.45 and 0.005 < share < 0.4


def test_a_mask_covers_mouth_and_nose():
    covered = np.mean([changed(occluders.mask, seed) for seed in range(20)], axis=0)
    x, y = (round(share * occluders.SIDE_PX) for share in occluders.MOUTH)
    assert covered[y, x] > 0.8  # not all: some fabrics are as grey as the photo
    assert covered[: occluders.SIDE_PX // 3].mean() < 0.02


def test_the_same_random_numbers_draw_the_same():
    for occluder in (*occluders.BELOW, *occluders.ABOVE, occluders.mask):
        assert np.array_equal(changed(occluder, 3), changed(occluder, 3))
