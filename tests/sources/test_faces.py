"""The drawn faces: reproducible, complete on disk, and told apart by the mask only."""

import csv
import hashlib
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from maskkit.sources import faces

N_PER_CLASS = 100  # of the set that the shortcut rules are tried on


@pytest.fixture(scope="module")
def drawn():
    """Images and attributes of 100 + 100 faces, seed 0."""
    return [faces.draw(i, faces.LABELS[i % 2], 0) for i in range(2 * N_PER_CLASS)]


def digest(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def rule_accuracy(rule, x, y):
    return cross_val_score(rule, x, y, cv=10).mean()


def test_same_seed_same_bytes(tmp_path):
    first, again, other = (
        digest(faces.make(tmp_path / name, 3, seed)) for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_a_face_does_not_depend_on_the_others():
    image, attributes = faces.draw(7, "without_mask", 3)
    faces.draw(4, "with_mask", 3)
    again, attributes_again = faces.draw(7, "without_mask", 3)
    assert image.tobytes() == again.tobytes() and attributes == attributes_again


def test_the_mask_is_the_only_difference_between_the_classes():
    """The same person with and without: same scene, and the same rim of the photo."""
    scenes = 0
    for index in range(0, 90, 3):
        masked, bare = (faces.draw(index, label, 0) for label in faces.LABELS)
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
        assert faces.SIZE_PX[0] <= attributes["size"] <= faces.SIZE_PX[1]


def test_one_face_in_five_is_hard_in_both_classes():
    n_per_class, rows = 240, len(faces.HARD_KINDS)
    for column, label in enumerate(faces.LABELS):
        expected = Counter(faces.HARD_KINDS[k % rows][column] for k in range(n_per_class // faces.HARD_EVERY))
        found = Counter(faces.hard_row(i)[column] for i in range(column, 2 * n_per_class, 2) if faces.hard_row(i))
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


def test_faces_csv_names_every_file_once(tmp_path):
    folder = faces.make(tmp_path / "demo", 5)
    with open(folder / "faces.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {r["file"] for r in rows} == {p.relative_to(folder).as_posix() for p in folder.rglob("*.png")}
    assert Counter(r["label"] for r in rows) == {"with_mask": 5, "without_mask": 5}
    for row in rows:
        assert row["file"].startswith(row["label"] + "/")
        with Image.open(folder / row["file"]) as image:
            assert image.width == int(row["size"])
    assert [r["hard"] for r in rows if r["hard"]] == ["hand", "hand"]
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_a_second_make_draws_nothing(tmp_path, monkeypatch):
    folder = faces.make(tmp_path / "demo", 2)
    before = digest(folder)
    monkeypatch.setattr(faces, "draw", lambda *_: pytest.fail("drew again"))
    assert faces.make(tmp_path / "demo", 2) == folder and digest(folder) == before


@pytest.mark.parametrize("change", ["file", "size", "version"])
def test_a_damaged_or_other_set_is_drawn_again(tmp_path, monkeypatch, change):
    folder = faces.make(tmp_path / "demo", 2)
    before = digest(folder)
    if change == "file":
        (folder / "with_mask" / "face_0000.png").unlink()
        faces.make(folder, 2)
        assert digest(folder) == before
    elif change == "size":
        faces.make(folder, 1)
        assert len(list(folder.rglob("*.png"))) == 2
    else:
        monkeypatch.setattr(faces, "VERSION", "other")
        faces.make(folder, 2)
        assert digest(folder)["demo.json"] != before["demo.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_an_interrupted_make_leaves_nothing_and_is_recovered(tmp_path, monkeypatch):
    drawn_before = faces.draw

    def interrupted(index, label, seed):
        if index == 2:
            raise KeyboardInterrupt
        return drawn_before(index, label, seed)

    monkeypatch.setattr(faces, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        faces.make(tmp_path / "demo", 2)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    killed = tmp_path / "demo.0a1b2c3d.part" / "with_mask"  # a killed process cannot tidy up
    killed.mkdir(parents=True)
    assert len(list(faces.make(tmp_path / "demo", 2).rglob("*.png"))) == 4
    assert killed.exists()  # young: it may belong to a process that is drawing now
    monkeypatch.setattr(faces.time, "time", lambda: killed.stat().st_mtime + 7200)
    shutil.rmtree(tmp_path / "demo")
    faces.make(tmp_path / "demo", 2)
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_two_at_once_share_one_set(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: faces.make(tmp_path / "demo", 2), range(3)))
    assert len(set(folders)) == 1
    assert digest(folders[0]) == digest(faces.make(tmp_path / "alone", 2))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alone", "demo"]


def test_the_set_of_a_quicker_process_stays(tmp_path, monkeypatch):
    """Another process finishes just as ours looks, and again between our look and our rename."""
    folder, rename = tmp_path / "demo", faces.Path.rename
    quicker = faces.make(tmp_path / "other", 2)
    taken = quicker.stat().st_ino

    def too_late(part, target):
        monkeypatch.undo()
        rename(quicker, folder)
        return rename(part, target)  # fails: the folder is there and not empty

    monkeypatch.setattr(faces.Path, "rename", too_late)
    faces.make(folder, 2)
    assert folder.stat().st_ino == taken and [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.jpg").write_bytes(b"x")
    with pytest.raises(FileExistsError, match="holds something else than the demo set"):
        faces.make(tmp_path, 1)
    assert (tmp_path / "mine.jpg").read_bytes() == b"x"


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="label must be one of with_mask, without_mask, got 'mask'"):
        faces.draw(0, "mask", 0)
    with pytest.raises(ValueError, match="n_per_class must be 1 or more, got 0"):
        faces.make(tmp_path / "demo", 0)
