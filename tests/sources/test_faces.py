"""The set of synthetic faces: the same bytes for the same seed, and complete on disk."""

import csv
import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from maskkit.sources import face_drawing, faces


def digest(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def shown(folder):
    """The names in a folder, without the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".demo.lock" and path.name != ".alone.lock")


def test_same_seed_same_bytes(tmp_path):
    first, again, other = (
        digest(faces.make(tmp_path / name, 3, seed)) for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert first == again
    assert not set(first.values()) & set(other.values())


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
    assert shown(tmp_path) == ["demo"]


def test_a_second_make_draws_nothing(tmp_path, monkeypatch):
    folder = faces.make(tmp_path / "demo", 2)
    before = digest(folder)
    monkeypatch.setattr(face_drawing, "draw", lambda *_: pytest.fail("drew again"))
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
    assert shown(tmp_path) == ["demo"]


def test_an_interrupted_make_leaves_nothing_and_is_recovered(tmp_path, monkeypatch):
    drawn_before = face_drawing.draw

    def interrupted(index, label, seed):
        if index == 2:
            raise KeyboardInterrupt
        return drawn_before(index, label, seed)

    monkeypatch.setattr(face_drawing, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        faces.make(tmp_path / "demo", 2)
    assert not shown(tmp_path)
    monkeypatch.undo()
    killed = tmp_path / ".demo.part" / "with_mask"  # a killed process cannot tidy up
    killed.mkdir(parents=True)
    assert len(list(faces.make(tmp_path / "demo", 2).rglob("*.png"))) == 4
    assert not killed.exists()


def test_two_at_once_share_one_set(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: faces.make(tmp_path / "demo", 2), range(3)))
    assert len(set(folders)) == 1
    assert digest(folders[0]) == digest(faces.make(tmp_path / "alone", 2))
    assert shown(tmp_path) == ["alone", "demo"]


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.jpg").write_bytes(b"x")
    with pytest.raises(FileExistsError, match="holds something else than the demo set"):
        faces.make(tmp_path, 1)
    assert (tmp_path / "mine.jpg").read_bytes() == b"x"


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="n_per_class must be 1 or more, got 0"):
        faces.make(tmp_path / "demo", 0)
