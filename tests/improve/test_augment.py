import numpy as np
import pytest
import torch
from conftest import TOLERANCE, draw_photo
from PIL import Image
from torchvision.transforms import v2

from maskkit import data, model
from maskkit.core import parallel
from maskkit.improve import augment, occluders
from maskkit.sources import folders

pytestmark = pytest.mark.numeric


def gradient():
    """A smooth photo 60 x 48, different at each of its corners."""
    y, x = np.mgrid[0:48, 0:60]
    return Image.fromarray(np.stack([4 * x, 5 * y, 2 * x + 2 * y], 2).astype(np.uint8))


def test_a_turn_is_the_middle_of_torchvisions_affine():
    affine = {"degrees": 25, "translate": (0.08, 0.08), "scale": (0.7, 1.4), "shear": (-8, 8, -8, 8)}
    bilinear = v2.InterpolationMode.BILINEAR
    whole = v2.Compose([v2.RandomAffine(interpolation=bilinear, **affine), v2.CenterCrop(augment.FRAME_PX)])
    photo = draw_photo(0).resize((448, 448))
    for seed in range(20):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            expected = np.asarray(whole(photo), dtype=int)
            torch.manual_seed(seed)
            turned = np.asarray(augment.Turn(**affine)(photo), dtype=int)
        assert np.abs(turned - expected).max() <= 1  # a level of 255, where the rounding of a float decides


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
        ("weak", 2, "AUGMENT must be 'none', 'report', 'strong' or 'occluded', got 'weak'"),
    ],
)
def test_views_out_of_range(curated, dwarf, name, n, message):
    run_dir, rows = curated
    with pytest.raises(ValueError, match=message):
        augment.views(data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf), name, n, seed=0)


# --- occluded -----------------------------------------------------------------------------------


@pytest.fixture
def occluded(photos):
    train, _ = photos
    return train, augment.views(train, "occluded", 40, seed=0)[1::2]


def test_the_photos_come_before_each_occluded_view(photos):
    train, _ = photos
    views = augment.views(train, "occluded", 3, seed=0)
    assert len(views) == 6 and views[::2] == [train] * 3
    assert len({id(view) for view in views[1::2]}) == 3 and train not in views[1::2]


def test_labels_change_only_where_a_mask_was_drawn_on_a_bare_face(occluded):
    train, views = occluded
    masked = train.classes.index("with_mask")
    for view in views:
        for own, label, drawn in zip(train.labels, view.labels, view.drawn, strict=True):
            assert label == (masked if drawn == (occluders.mask,) else own)
            if drawn:
                assert (drawn == occluders.ABOVE) == (own == masked)


def test_as_many_are_drawn_on_as_the_shares_say(occluded):
    train, views = occluded
    bare = np.array(train.labels) != train.classes.index("with_mask")
    drawn = [np.array([kind[0] if kind else None for kind in view.drawn]) for view in views]
    for of, first, share in (
        (bare, occluders.BELOW[0], augment.BELOW_SHARE),
        (bare, occluders.mask, augment.MASK_SHARE),
        (~bare, occluders.ABOVE[0], augment.ABOVE_SHARE),
    ):
        hits = np.concatenate([kinds[of] == first for kinds in drawn])
        assert abs(hits.mean() - share) < 4 * (share * (1 - share) / hits.size) ** 0.5


def test_an_occluded_view_is_the_same_each_time_and_other_labels_have_other_features(occluded):
    train, views = occluded
    again = augment.views(train, "occluded", 2, seed=0)[1::2]
    assert torch.equal(views[1][0][0], again[1][0][0]) and views[1].labels == again[1].labels
    assert views[1].transform.describe() == again[1].transform.describe() != views[0].transform.describe()
    swapped = list(train.labels)  # two photos with exchanged labels: as many of each class, in the same order
    first, last = swapped.index(0), swapped.index(1)
    swapped[first], swapped[last] = 1, 0
    rows = [row | {"label": train.classes[label]} for row, label in zip(train.rows, swapped, strict=True)]
    rows[first], rows[last] = rows[last], rows[first]
    other = data.MaskDataset(rows, train.folder.parent, train.classes, train.transform)
    assert other.labels == train.labels
    relabelled = augment.views(other, "occluded", 2, seed=0)[3]
    assert relabelled.transform.describe() != views[1].transform.describe()


def test_other_classes_get_strong_views(photos):
    train, _ = photos
    cats = data.MaskDataset([], train.folder.parent, ("cat", "dog"), train.transform)
    assert [view.transform for view in augment.views(cats, "occluded", 2, 0)] == [
        view.transform for view in augment.views(cats, "strong", 2, 0)
    ]


@pytest.mark.parametrize("name", ["report", "strong"])
def test_threads_that_draw_views_get_the_same_ones_and_leave_chance_alone(name, dwarf):
    photos, view = [draw_photo(seed) for seed in range(24)], augment.View(dwarf, name, 0, 0)
    state = torch.get_rng_state()
    alone = [view(photo) for photo in photos]
    for _ in range(3):
        together = list(parallel.in_threads(view, photos, workers=4))
        assert all(torch.allclose(first, second, atol=TOLERANCE) for first, second in zip(alone, together, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
