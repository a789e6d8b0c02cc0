"""Synthetic faces: reproducible, and only the mask separates the classes."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from maskkit.sources import face_drawing

N_PER_CLASS = 100  # of the set that the shortcut rules are tried on


@pytest.fixture(scope="module")
def drawn():
    """Images and attributes of 100 + 100 faces, seed 0."""
    return [face_drawing.draw(i, face_drawing.LABELS[i % 2], 0) for i in range(2 * N_PER_CLASS)]


def rule_accuracy(rule, x, y):
    return cross_val_score(rule, x, y, cv=10).mean()


def test_a_face_does_not_depend_on_the_others():
    image, attributes = face_drawing.draw(7, "without_mask", 3)
    face_drawing.draw(4, "with_mask", 3)
    again, attributes_again = face_drawing.draw(7, "without_mask", 3)
    assert image.tobytes() == again.tobytes() and attributes == attributes_again


def test_the_mask_is_the_only_difference_between_the_classes():
    """The same person with and without: same scene, and the same rim of the photo."""
    scenes = 0
    for index in range(0, 90, 3):
        masked, bare = (face_drawing.draw(index, label, 0) for label in face_drawing.LABELS)
        same = [{k: v for k, v in a.items() if k not in ("label", "hard", "mask")} for _, a in (masked, bare)]
        assert same[0] == same[1]
        a, b = (np.asarray(image, dtype=int) for image, _ in (masked, bare))
        rim = np.ones(a.shape[:2], dtype=bool)
        k = round(0.08 * len(a))
        rim[k:-k, k:-k] = False
        assert abs(a - b)[rim].max() <= 2  # 2 of 255: where the photo's blur carries a chin's shade that far
        scenes += (a != b).any()
    assert scenes == 30


def test_every_face_is_different(drawn):
    assert len({image.tobytes() for image, _ in drawn}) == len(drawn)


def test_photos_are_square_rgb_of_the_stated_sizes(drawn):
    for image, attributes in drawn:
        assert image.mode == "RGB" and image.size == (attributes["size"],) * 2
        assert face_drawing.SIZE_PX[0] <= attributes["size"] <= face_drawing.SIZE_PX[1]


def test_one_face_in_five_is_hard_in_both_classes():
    n_per_class, rows = 240, len(face_drawing.HARD_KINDS)
    for column, label in enumerate(face_drawing.LABELS):
        expected = Counter(
            face_drawing.HARD_KINDS[k % rows][column] for k in range(n_per_class // face_drawing.HARD_EVERY)
        )
        found = Counter(
            face_drawing.hard_row(i)[column] for i in range(column, 2 * n_per_class, 2) if face_drawing.hard_row(i)
        )
        assert found == expected and found.total() == 48, label


def test_attributes_tell_masks_and_hard_cases(drawn):
    for _, attributes in drawn:
        on_chin = attributes["hard"] == "chin_mask"
        assert bool(attributes["mask"]) == (attributes["label"] == "with_mask" or on_chin)
    assert {a["hard"] for _, a in drawn} >= {"", "hand", "scarf", "beard", "chin_mask", "skin_mask", "printed_smile"}


def test_size_tells_nothing(drawn):
    """A rule on width and height stays within chance: 200 faces, so 2.6 sd of a fair coin are 9 points."""
    sizes = np.array([image.size for image, _ in drawn])
    labels = np.array([a["label"] == "with_mask" for _, a in drawn])
    assert (
        abs(
            rule_accuracy(DecisionTreeClassifier(max_depth=2, min_samples_leaf=10, random_state=0), sizes, labels) - 0.5
        )
        < 0.09
    )
    sorted_sizes = [np.sort(sizes[labels == kind, 0]) for kind in (True, False)]
    gap = max(abs(np.mean(sorted_sizes[0] <= s) - np.mean(sorted_sizes[1] <= s)) for s in range(80, 257))
    assert gap < 0.2  # Kolmogorov-Smirnov: 0.192 is the 5 % limit for 100 against 100


def test_the_border_tells_nothing(drawn):
    """A rule on the outer 8 % of the photo stays within chance."""
    rims = []
    for image, _ in drawn:
        small = np.asarray(image.resize((25, 25), Image.Resampling.BOX), dtype=float)
        rims.append(
            np.concatenate([small[:2].ravel(), small[-2:].ravel(), small[2:-2, :2].ravel(), small[2:-2, -2:].ravel()])
        )
    labels = np.array([a["label"] == "with_mask" for _, a in drawn])
    rule = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    assert abs(rule_accuracy(rule, np.array(rims), labels) - 0.5) < 0.09


def test_an_unknown_label_is_named():
    with pytest.raises(ValueError, match="label must be one of with_mask, without_mask, got 'mask'"):
        face_drawing.draw(0, "mask", 0)
