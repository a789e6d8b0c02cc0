"""Training and test photos: no photo twice, and no version of a photo on both sides."""

import shutil

import pytest
import torch
from conftest import fill
from PIL import ImageOps

from maskkit import data, model, split
from maskkit.core import paths
from maskkit.improve import augment, test_sets
from maskkit.sources import folders

CLASSES = folders.REPORT_CLASSES


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def test_the_drawn_photos_are_split_anew_for_each_seed(drawn_faces):
    assert len(drawn_faces.photos) == 30 and len(drawn_faces.parts) == 3
    for fit_on, check_on in drawn_faces.parts:
        assert len(fit_on) == 24 and len(check_on) == 6 and not set(fit_on) & set(check_on)
    assert len({tuple(check_on) for _, check_on in drawn_faces.parts}) > 1


def test_test_sets_hold_no_version_of_a_drawn_photo(drawn_faces, face_source, tmp_path):
    other = fill(tmp_path / "other", CLASSES, 6)
    known = {row["sha256"] for row in drawn_faces.photos.rows}
    first = next(i for i, row in enumerate(drawn_faces.photos.rows) if row["label"] == "with_mask")
    ImageOps.mirror(drawn_faces.photos.image(first)).save(face_source.folder / "with_mask" / "mirrored.png")
    shutil.copy(drawn_faces.photos.path(first), other / "with_mask")
    unseen, street_camera, other_source = test_sets.find(
        drawn_faces, face_source, folders.find(str(other)), n=12, seed=0
    )
    assert [each.name for each in (unseen, street_camera, other_source)] == ["unseen", "street_camera", "other_source"]
    files = {row["file"] for row in unseen.rows}
    assert len(unseen.rows) == 12 and "with_mask/mirrored.png" not in files
    assert not known & {row["sha256"] for row in unseen.rows + other_source.rows}
    assert street_camera.rows == unseen.rows and street_camera.transform.augmentation == "street"
    labels = [row["label"] for row in unseen.rows]
    assert labels.count("with_mask") == labels.count("without_mask") == 6


def test_without_photos_left_over_it_says_so(face_source, tmp_path):
    (tmp_path / "all").mkdir()
    split.curate(face_source, tmp_path / "all", per_class=0, split="grouped", seed=0)
    with pytest.raises(ValueError, match="every photo of faces was drawn"):
        test_sets.find(test_sets.draw(tmp_path / "all", n_seeds=1, seed=0), face_source, None, n=10, seed=0)


def test_another_source_needs_the_same_classes(drawn_faces, face_source, tmp_path):
    other = fill(tmp_path / "other", ("cats", "dogs"), 3)
    with pytest.raises(ValueError, match="AGAINST holds the classes cats, dogs, the run with_mask, without_mask"):
        test_sets.find(drawn_faces, face_source, folders.find(str(other)), n=10, seed=0)


def test_the_street_camera_set_shows_augmented_photos(drawn_faces, face_source):
    street = test_sets.find(drawn_faces, face_source, None, n=4, seed=0)[1]
    shown = street.dataset(CLASSES)
    plain = data.Photos(street.rows, CLASSES, model.Transform())
    assert isinstance(street.transform, augment.View) and not torch.equal(shown[0][0], plain[0][0])
