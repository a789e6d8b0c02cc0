import numpy as np
import pytest
import torch
from conftest import TOLERANCE, draw_photo
from PIL import Image

from maskkit import data, model
from maskkit.core import parallel
from maskkit.improve import augment
from maskkit.sources import folders

pytestmark = pytest.mark.numeric


def gradient():
    """A smooth photo 60 x 48, different at each of its corners."""
    y, x = np.mgrid[0:48, 0:60]
    return Image.fromarray(np.stack([4 * x, 5 * y, 2 * x + 2 * y], 2).astype(np.uint8))


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
def test_a_view_is_a_function_of_its_photo_seed_and_number(name, dwarf):
    photo, state = draw_photo(0), torch.get_rng_state()
    view = augment.View(dwarf, name, seed=0, index=0)
    first = view(photo)
    torch.rand(7)
    assert torch.equal(first, view(photo)) and not torch.equal(first, dwarf(photo))
    assert first.shape == (3, 64, 64) and first.dtype == torch.float32
    torch.set_rng_state(state)
    view(draw_photo(1))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", augment.TRAINING)
def test_another_seed_or_number_is_another_view(name, dwarf):
    images = [augment.View(dwarf, name, *place)(gradient()) for place in ((0, 0), (0, 1), (1, 0))]
    assert all(not torch.equal(a, b) for a, b in ((images[0], images[1]), (images[0], images[2]), images[1:]))


def test_what_chance_decides_differs_between_photos(dwarf):
    """One draw for all photos would be a change of the whole set that a head could learn."""
    view = augment.View(dwarf, "turned", seed=0, index=0)
    corners = set()
    for shade in range(16):
        photo = np.asarray(gradient()).copy()
        photo[0, 0] = shade
        corners.add(round(view(Image.fromarray(photo))[0, 0, 0].item(), 1))
    assert len(corners) == 2


def test_every_augmentation_and_view_has_features_of_its_own(dwarf):
    said = [str(augment.View(dwarf, name, 0, 0).describe()) for name in augment.AUGMENTATIONS]
    said += [str(augment.View(dwarf, "report", *place).describe()) for place in ((0, 1), (1, 0))]
    assert len({*said, str(dwarf.describe())}) == len(augment.AUGMENTATIONS) + 3


def test_shifts_do_what_their_names_say():
    photo, whole = draw_photo(0, 224), model.Transform()
    shifted = {name: augment.View(whole, name, 0, 0)(photo) for name in augment.SHIFTS} | {"none": whole(photo)}
    brightness = {name: image.mean() for name, image in shifted.items()}
    detail = {name: image.diff(dim=2).abs().mean() for name, image in shifted.items()}
    assert brightness["dark"] < brightness["none"] < brightness["bright"]
    assert detail["blur"] < detail["low_resolution"] < detail["sizes_matched"] < 0.5 * detail["none"]
    assert detail["tight"] < detail["none"]  # noise enlarged is smoother
    grey = {name: image.std(0).mean() for name, image in shifted.items()}
    assert grey["colour"] < 0.5 * grey["none"]


def test_views_of_a_dataset(curated, dwarf):
    run_dir, rows = curated
    photos = data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf)
    assert augment.views(photos, "none", 1, seed=0) == [photos]
    seen = augment.views(photos, "strong", 3, seed=5)
    assert [(part.transform.seed, part.transform.index) for part in seen] == [(5, 0), (5, 1), (5, 2)]
    assert photos.transform is dwarf and all(part.rows is photos.rows for part in seen)


@pytest.mark.parametrize(
    ("name", "n", "message"),
    [
        ("none", 4, "VIEWS must be 1, got 4"),
        ("strong", 0, "VIEWS must be at least 1"),
        ("weak", 2, "AUGMENT must be 'none', 'report' or 'strong', got 'weak'"),
    ],
)
def test_views_out_of_range(curated, dwarf, name, n, message):
    run_dir, rows = curated
    with pytest.raises(ValueError, match=message):
        augment.views(data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf), name, n, seed=0)


@pytest.mark.parametrize("name", ["report", "strong"])
def test_threads_that_draw_views_get_the_same_ones_and_leave_chance_alone(name, dwarf):
    photos, view = [draw_photo(seed) for seed in range(24)], augment.View(dwarf, name, 0, 0)
    state = torch.get_rng_state()
    alone = [view(photo) for photo in photos]
    for _ in range(3):
        together = list(parallel.in_threads(view, photos, workers=4))
        assert all(torch.allclose(first, second, atol=TOLERANCE) for first, second in zip(alone, together, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
