"""Photo folders that are no set, or are no longer the one that was prepared."""

import errno
import os
import shutil

import numpy as np
import pytest
from conftest import draw_photo, fill

from faults.test_photos import snapshot
from maskkit import checkpoint, conflicts, data, features, model, pretrained, split
from maskkit.audit import audit, classifiers, survey
from maskkit.cli import main
from maskkit.core import paths
from maskkit.sources import decoding, folders, listing

fault = lambda name: pytest.mark.fault("sets", name)  # noqa: E731 (a mark's short name)


def prepare(folder, run_dir, **settings):
    settings = {"per_class": 0, "split": "grouped", "seed": 0} | settings
    return split.curate(folders.find(str(folder)), run_dir, **settings)


@fault("empty class")
def test_an_empty_class_is_named(photo_folder, tmp_path):
    for path in (photo_folder / "with_mask").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="with_mask holds 0 photos .* of 0 files; class 'with_mask' needs at least 10"):
        prepare(photo_folder, tmp_path / "run")
    with pytest.raises(ValueError, match="an audit needs photos of two classes"):
        audit.read_photos(str(photo_folder), log=str)


@fault("missing class")
def test_a_missing_class_is_an_error_that_lists_what_is_there(photo_folder, capsys):
    shutil.rmtree(photo_folder / "without_mask")
    with pytest.raises(ValueError, match="one sub-folder of photos per class, two or more; it holds with_mask"):
        folders.find(str(photo_folder))
    assert main.main(["audit", str(photo_folder)]) == 2
    assert capsys.readouterr().err.startswith(f"maskkit: DATA: {photo_folder} must hold one sub-folder")


@fault("a third folder")
def test_a_third_folder_is_a_third_class_and_said(photo_folder, tmp_path, trained):
    shutil.copytree(photo_folder / "with_mask", photo_folder / "originals")
    rows, rejected = prepare(photo_folder, tmp_path / "run", split="random")
    assert data.format_summary(rows).endswith("classes originals, with_mask, without_mask")
    assert "in two classes or more with the same bytes: 15 photos;" in split.format_notes(
        rows, rejected, 0, conflicts.among(rows)
    )
    found = survey.read(survey.find_files(folders.find(str(photo_folder))))
    with pytest.raises(ValueError, match="trained on with_mask, without_mask, but the photos are originals, with_mask"):
        classifiers.find_classifiers(trained, "auto", "auto", "run", found.classes)


@fault("a third folder")
def test_a_third_folder_without_photos_is_an_error_with_its_name(photo_folder, tmp_path):
    (photo_folder / "notes").mkdir()
    (photo_folder / "notes" / "readme.txt").write_text("no photo")
    with pytest.raises(ValueError, match=r"(?s)notes holds 0 photos .* of 1 files.*readme.txt: not a photo"):
        prepare(photo_folder, tmp_path / "run")


def layout(name, folders, message):
    return pytest.param(folders, message, id=name, marks=pytest.mark.fault("sets", name))


@pytest.mark.parametrize(
    ("places", "message"),
    [
        layout("empty class", {"a": 10, "b": 0}, "b holds 0 files; class 'b' needs at least 10 photos"),
        layout("too few photos", {"a": 10, "b/anna": 4, "b/ben": 5}, "b holds 9 files; class 'b' needs at least 10"),
        layout("missing class", {"with_mask": 10}, "sub-folder of photos per class, two or more; it holds with_mask"),
        layout("part without classes", {"train/a": 10, "train/b": 10, "test": 3}, "test holds photos without a class"),
        layout("parts with other classes", {"train/a": 10, "train/b": 10, "val/a": 3, "val/c": 3}, "different classes"),
        layout("class named like a part", {"bus": 10, "train": 10}, "holds train, named like parts of a set, beside"),
        layout("class inside another class", {"a": 10, "b": 10, "a/x/b": 3}, "bears the name of class 'b'"),
        layout("sources taken for classes", {"x/a": 10, "x/b": 10, "y/a": 10, "y/b": 10}, "parts or sources, not"),
        layout("photos without class folders", {".": 10}, "two or more; it holds none, and photos without a class"),
        layout("class folder whose name is not UTF-8", {"a": 10, os.fsdecode(b"\xff"): 10}, "is not UTF-8; rename"),
    ],
)
def test_a_folder_that_is_no_set_stops_with_one_line_before_any_kernel(tmp_path, monkeypatch, capsys, places, message):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    for place, (name, n) in enumerate(places.items()):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(n):
            draw_photo(100 * place + index, 8).save(folder / f"{index}.png")
    given = ["--set", f"DATA={tmp_path / 'photos'}", "--set", "WEIGHTS=packaged"]
    assert main.main(["reproduce", *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("maskkit: DATA: ") and message in line
    assert not list((tmp_path / "runs").glob("[!.]*"))


@fault("swapped class names")
def test_swapped_class_names_are_refused(trained):
    with pytest.raises(ValueError, match="trained on with_mask, without_mask, but the photos are without_mask, with"):
        checkpoint.load(trained, classes=("without_mask", "with_mask"))


@fault("swapped class names")
def test_folders_swapped_after_prepare_do_not_move_the_run_s_labels(photo_folder, curated):
    run_dir, rows = curated
    for old, new in (("with_mask", "x"), ("without_mask", "with_mask"), ("x", "without_mask")):
        (photo_folder / old).rename(photo_folder / new)
    assert sorted(sum(data.read_split(run_dir), []), key=lambda row: row["file"]) == rows
    (run_dir / "data-mask" / "with_mask").rename(run_dir / "data-mask" / "x")
    (run_dir / "data-mask" / "without_mask").rename(run_dir / "data-mask" / "with_mask")
    (run_dir / "data-mask" / "x").rename(run_dir / "data-mask" / "without_mask")
    with pytest.raises(ValueError, match="with_mask/000.png .* has changed since split.csv was written"):
        data.read_split(run_dir)


@fault("re-spelled class names")
def test_kaggle_s_spelling_is_ours_and_another_one_another_class(photo_folder, trained):
    (photo_folder / "with_mask").rename(photo_folder / "WithMask")
    assert tuple(listing.class_folders(photo_folder)) == folders.REPORT_CLASSES
    (photo_folder / "WithMask").rename(photo_folder / "With Mask")
    classes = tuple(listing.class_folders(photo_folder))
    with pytest.raises(ValueError, match="trained on with_mask, without_mask, but the photos are With Mask, with"):
        checkpoint.load(trained, classes=classes)
    fill(photo_folder, ("with_mask", "WithMask"), 1)
    with pytest.raises(ValueError, match="are both class 'with_mask'; keep one"):
        folders.find(str(photo_folder))


@fault("too few photos")
def test_too_few_photos_give_the_numbers_and_write_nothing(photo_folder, tmp_path):
    for path in sorted((photo_folder / "with_mask").iterdir())[9:]:
        path.unlink()
    with pytest.raises(ValueError, match="holds 9 photos that can be decoded of 9 files.*at least 10"):
        prepare(photo_folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def cached(curated, tmp_path, dwarf):
    """(run_dir, a photo of it): the features of all its photos lie in a cache."""
    run_dir, rows = curated
    network = model.build(pretrained.Pretrained("resnet18", "none", None, ""), 2, seed=0)
    photos = data.MaskDataset(rows, run_dir, data.classes(rows), dwarf)
    device = model.device("cpu")
    assert features.extract(network, "resnet18", photos, cache=tmp_path / "cache", device=device)[1] == 30
    assert features.extract(network, "resnet18", photos, cache=tmp_path / "cache", device=device)[1] == 0
    return run_dir, run_dir / "data-mask" / rows[3]["file"]


@fault("photo removed before training")
def test_a_photo_removed_before_training_is_missed_although_its_features_are_cached(cached):
    run_dir, photo = cached
    photo.unlink()
    with pytest.raises(FileNotFoundError, match=r"holds 29 of the 30 photos in split.csv; run 01_prepare.ipynb"):
        data.read_split(run_dir)


@fault("photo changed before training")
def test_a_photo_changed_before_training_is_named_although_its_features_are_cached(cached, photo_folder):
    run_dir, photo = cached
    old = decoding.sha256(photo)
    photo.unlink()  # a hard link to the user's own
    draw_photo(4711).save(photo)
    with pytest.raises(ValueError) as raised:
        data.read_split(run_dir)
    said = str(raised.value)
    assert str(photo) in said and old[:12] in said and decoding.sha256(photo)[:12] in said and "run 01_prepare" in said


@fault("photo changed before training")
def test_a_split_that_is_no_table_is_named(curated):
    run_dir, _ = curated
    for content in ("", "file,label\na,b\n", "\0"):
        (run_dir / "split.csv").write_text(content)
        with pytest.raises(ValueError, match="split.csv has no rows of file, label, part, sha256, group, source; run"):
            data.read_split(run_dir)


@fault("read-only input")
def test_a_read_only_folder_is_copied_from_and_stays_as_it_is(photo_folder, tmp_path, monkeypatch):
    for path in photo_folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(photo_folder)
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only file system")))
    for _ in range(2):  # the second run makes data-mask/ anew
        rows, _ = prepare(photo_folder, tmp_path / "run")
        copies = [tmp_path / "run" / "data-mask" / row["file"] for row in rows]
        assert len(data.read_split(tmp_path / "run")[0]) == 24 and all(path.stat().st_mode & 0o200 for path in copies)
    found = survey.read(survey.find_files(folders.find(str(photo_folder))))
    assert len(found) == 30 and np.isfinite(found.hog).all() and snapshot(photo_folder) == before
