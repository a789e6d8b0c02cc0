"""Which folder is which class and part: each layout is read rightly, or stops with one line that says what was seen."""

import os
import shutil
import unicodedata
from collections import Counter

import pytest
from conftest import draw_photo, fill

from maskkit import conflicts, data, split
from maskkit.audit import survey
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.improve import test_sets
from maskkit.runner import check_inputs, reproduce
from maskkit.sources import faces, folders, kaggle, listing

TWO = ("cat", "dog")
PEOPLE = ("anna", "ben")


def found(folder):
    """{part: {class: photos}} of what DATA=folder means."""
    source = folders.find(str(folder))
    return {
        part: {label: len(listing.list_photos(below)) for label, below in classes.items()}
        for part, classes in source.parts.items()
    }


def stops(folder, message):
    """The message that DATA=folder stops with; it is one line."""
    with pytest.raises((ValueError, FileNotFoundError), match=message) as raised:
        folders.find(str(folder))
    assert "\n" not in str(raised.value) and str(raised.value).startswith("DATA: ")
    return str(raised.value)


def parts(root, **n):
    """Parts of TWO classes with n photos each."""
    for name, count in n.items():
        fill(root / name, TWO, count, size_px=8)
    return root


def curate(folder, run_dir, **settings):
    return split.curate(
        folders.find(str(folder)), run_dir, **{"per_class": 0, "split": "grouped", "seed": 0} | settings
    )


# --- parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "val", "part"),
    [
        ("train", "val", "Validation"),
        ("Train", "Valid", "Validation"),
        ("TRAINING", "VALIDATION", "Validation"),
        ("training", "dev", "Validation"),
        ("train", "Test", "Test"),
        ("Training", "testing", "Test"),
    ],
)
def test_parts_are_known_by_their_usual_names(tmp_path, train, val, part):
    root = parts(tmp_path / "photos", **{train: 12, val: 3})
    assert found(root) == {"Train": {"cat": 12, "dog": 12}, part: {"cat": 3, "dog": 3}}
    rows, _ = curate(root, tmp_path / "run")
    assert {row["source"].split("/")[0] for row in rows} == {train} and len(rows) == 24
    assert data.classes(rows) == TWO and folders.find(str(root)).photos == "photos"


@pytest.mark.parametrize("wrappers", ["a", "a/b", "a/b/c"])
@pytest.mark.parametrize("below", ["", "train"])
def test_folders_that_hold_nothing_but_one_folder_are_entered(tmp_path, wrappers, below):
    parts(tmp_path / "w" / wrappers / "photos", train=2, val=1)
    assert set(found(tmp_path / "w" / wrappers / "photos" / below)) == {"Train", "Validation"}
    assert set(found(tmp_path / "w" / wrappers)) == {"Train", "Validation"}
    fill(tmp_path / "plain" / wrappers, TWO, 2, size_px=8)
    (tmp_path / "plain" / "a" / "readme.txt").write_text("a file beside it makes no difference")
    assert found(tmp_path / "plain") == {"": {"cat": 2, "dog": 2}}


def test_a_fourth_wrapper_is_refused_with_its_name(tmp_path):
    fill(tmp_path / "a" / "b" / "c" / "d", TWO, 2, size_px=8)
    said = stops(tmp_path, "is inside 3 folders that hold nothing else; give it as DATA")
    assert str(tmp_path / "a" / "b" / "c" / "d") in said


def test_a_training_part_alone_is_found_and_a_test_part_alone_is_a_plain_folder(tmp_path):
    assert found(parts(tmp_path / "one", train=2)) == {"Train": {"cat": 2, "dog": 2}}
    assert found(parts(tmp_path / "two", test=2)) == {"": {"cat": 2, "dog": 2}}


def test_the_training_part_given_by_name_knows_the_parts_beside_it(tmp_path):
    root = parts(tmp_path / "photos", train=2, test=1)
    assert folders.find(str(root / "train")) == folders.find(str(root))
    fill(root / "test", ("bird",), 1, size_px=8)  # no set any more: train stands for itself
    assert found(root / "train") == {"": {"cat": 2, "dog": 2}}
    assert found(root / "test") == {"": {"bird": 1, "cat": 1, "dog": 1}}


def test_parts_that_are_no_parts_of_one_set_say_what_was_seen(tmp_path):
    root = parts(tmp_path / "1", train=2, val=1)
    shutil.rmtree(root / "val" / "dog")
    fill(root / "val", ("bird",), 1, size_px=8)
    stops(root, r"hold different classes \(train: cat, dog; val: bird, cat\); each needs the same class folders")
    root = parts(tmp_path / "2", train=2)
    fill(root, ("test",), 3, size_px=8)  # unlabelled, as competitions have it
    stops(root, "holds test, train, named like parts of a set, but test holds photos without a class; each part needs")
    (tmp_path / "2" / "val").mkdir()
    shutil.rmtree(root / "test")
    stops(root, "but val holds nothing; each part needs")
    stops(fill(tmp_path / "3", ("train", "val"), 2, size_px=8), "but train holds photos without a class")
    stops(parts(tmp_path / "4", val=2, test=2), "holds test, val, no training part; name one train")
    stops(parts(tmp_path / "5", train=2, training=2), "holds two folders for part Train: train and training; keep one")
    root = parts(tmp_path / "6", train=2, val=2)
    stops(fill(root, ("cat",), 2, size_px=8), "holds train, val, named like parts of a set, beside cat; .* rename")


def test_a_class_that_is_named_like_a_part_is_refused(tmp_path):
    root = fill(tmp_path / "1", ("bus", "car", "train"), 2, size_px=8)
    stops(root, "holds train, named like parts .* beside bus, car; .* a class needs another name than train")
    stops(fill(tmp_path / "2", ("a", "Test"), 2, size_px=8), "holds Test, named like parts of a set, beside a; ")


def test_a_folder_without_photos_beside_parts_is_named_and_left_alone(tmp_path):
    root = parts(tmp_path / "photos", train=2, val=1)
    (root / "annotations").mkdir()
    (root / "annotations" / "boxes.json").write_text("{}")
    assert folders.find(str(root)).remarks == ("not used, since no photo lies in it: annotations",)


def test_photos_beside_class_folders_are_counted_and_named(tmp_path):
    root = fill(tmp_path / "photos", TWO, 2, size_px=8)
    draw_photo(0).save(root / "loose.png")
    assert folders.find(str(root)).remarks == (f"not used: 1 photos that lie in {root} beside its folders",)


# --- SPLIT = 'given' ------------------------------------------------------------------------------


def test_a_given_split_trains_on_one_part_and_validates_on_all_of_the_other(tmp_path):
    root = parts(tmp_path / "photos", train=15, val=4, test=2)
    rows, rejected = curate(root, tmp_path / "run", split="given", per_class=10)
    assert Counter((row["source"].split("/")[0], row["part"], row["label"]) for row in rows) == {
        ("train", "train", "cat"): 10,
        ("train", "train", "dog"): 10,
        ("val", "val", "cat"): 4,
        ("val", "val", "dog"): 4,
    }
    assert all((root / row["source"]).is_file() and split.folder_label(row) == row["label"] for row in rows)
    assert len({row["file"] for row in rows}) == 28 and len(data.read_split(tmp_path / "run")[1]) == 8
    assert (
        split.format_notes(rows, rejected, 10, []).splitlines()[0] == "0 files excluded; rejected.csv gives the reasons"
    )
    few, _ = curate(root, tmp_path / "few", split="given", per_class=100)
    assert "cat: 15 photos are there, 100 were asked for; all are used" in split.format_notes(few, [], 100, [])


def test_a_given_split_takes_the_test_part_where_there_is_no_other_and_needs_one(tmp_path):
    rows, _ = curate(parts(tmp_path / "1", train=10, testing=3), tmp_path / "run", split="given")
    assert {row["source"].split("/")[0] for row in rows if row["part"] == "val"} == {"testing"}
    for name, root in (("2", parts(tmp_path / "2", train=10)), ("3", fill(tmp_path / "3", TWO, 10, size_px=8))):
        with pytest.raises(ValueError, match="SPLIT='given' needs a training and.* has no validation or test folder"):
            curate(root, tmp_path / name / "run", split="given")


def test_a_photo_in_both_given_parts_stays_in_both_whatever_its_group(tmp_path):
    root = parts(tmp_path / "photos", train=10, val=2)
    for name in ("val", "train"):
        draw_photo(4711).save(root / name / "cat" / "same.png")
    rows, _ = curate(root, tmp_path / "run", split="given")
    both = [row for row in rows if row["source"].endswith("same.png")]
    assert {row["part"] for row in both} == {"train", "val"} and len({row["group"] for row in both}) == 1
    (tmp_path / "groups.csv").write_text(f"sha256,group\n{both[0]['sha256']},found-1\n{rows[0]['sha256']},found-1\n")
    again, _ = curate(root, tmp_path / "again", split="given", groups=tmp_path / "groups.csv")
    assert [row["part"] for row in again] == [row["part"] for row in rows]
    files = survey.find_files(folders.find(str(root)))
    assert Counter(row["part"] for row in files) == {"Train": 21, "Validation": 5}


def test_corrections_reach_a_given_validation_part(tmp_path):
    from maskkit import corrections

    root, file = parts(tmp_path / "photos", train=10, val=3), tmp_path / "corrections.csv"
    rows, _ = curate(root, tmp_path / "run", split="given")
    row = next(row for row in rows if row["source"] == "val/cat/001.png")
    corrections.append(file, sha256=row["sha256"], source=row["source"], found=split.folder_label(row), label="dog")
    twin = next(row for row in rows if row["source"] == "train/cat/001.png")
    assert twin["sha256"] == row["sha256"]  # the same drawing in both parts: both are corrected
    after, rejected = curate(root, tmp_path / "again", split="given", correct_by=str(file))
    labels = {row["source"]: row["label"] for row in after}
    assert labels["val/cat/001.png"] == labels["train/cat/001.png"] == "dog" and len(after) == len(rows)
    assert split.count_corrections(after, rejected) == {"relabelled": 2, "excluded": 0}


def test_the_other_parts_serve_as_test_photos(tmp_path, monkeypatch, demo_set):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    root = tmp_path / "photos"
    for place, name in enumerate(("train", "val", "test")):
        for label in folders.REPORT_CLASSES:
            (root / name / label).mkdir(parents=True)
            for path in sorted((demo_set / label).iterdir())[20 * place : 20 * place + 12]:
                shutil.copy(path, root / name / label)
    curate(root, tmp_path / "run", split="given")
    drawn = test_sets.draw(tmp_path / "run", n_seeds=2, seed=0)
    assert {row["source"].split("/")[0] for row in drawn.photos.rows} == {"train"}
    for part in ("test", "val"):
        unseen = test_sets.find(drawn, folders.find(str(root)), None, n=6, seed=0)[0]
        assert {row["file"].split("/")[0] for row in unseen.rows} == {part}
        shutil.rmtree(root / "test", ignore_errors=True)


# --- classes --------------------------------------------------------------------------------------


def test_a_class_with_a_folder_per_person_is_one_class(tmp_path):
    for place, (label, people) in enumerate({"cat": ("anna", "ben"), "dog": ("carl", "dora")}.items()):
        for person in people:
            (tmp_path / "photos" / label / person).mkdir(parents=True)
            for index in range(6):
                photo = draw_photo(100 * place + 10 * people.index(person) + index)
                photo.save(tmp_path / "photos" / label / person / f"{index:03d}.png")
    rows, _ = curate(tmp_path / "photos", tmp_path / "run")
    assert Counter(row["label"] for row in rows) == {"cat": 12, "dog": 12}
    assert {row["file"] for row in rows} >= {"cat/anna__000.png", "dog/dora__005.png"}


@pytest.mark.parametrize("names", [("with_mask", "without_mask"), ("WithMask", "WithoutMask")])
def test_the_report_s_classes_may_share_persons(tmp_path, names):
    for label in names:
        fill(tmp_path / "photos" / label, PEOPLE, 6, size_px=8)
    assert found(tmp_path / "photos") == {"": {"with_mask": 12, "without_mask": 12}}


def test_classes_with_photos_of_their_own_may_share_folder_names(tmp_path):
    root = fill(tmp_path / "photos", TWO, 2, size_px=8)
    for label in TWO:
        fill(root / label, ("more",), 3, size_px=8)
    assert found(root) == {"": {"cat": 5, "dog": 5}}


def test_siblings_without_photos_that_share_folder_names_are_never_classes(tmp_path):
    for name in ("studio", "street"):
        fill(tmp_path / "1" / name, TWO, 2, size_px=8)
    said = stops(tmp_path / "1", "street and studio in .* hold no photos of their own but folders of the same names")
    assert "(cat, dog)" in said and "give one of them as DATA, name them train and val" in said
    for name in ("2023/a", "2024/b"):
        fill(tmp_path / "2" / name, TWO, 2, size_px=8)
    stops(tmp_path / "2", "2023 and 2024 in .* parts or sources")  # the shared names lie deeper
    fill(tmp_path / "2", ("more",), 2, size_px=8)
    stops(tmp_path / "2", "2023 and 2024 in .* parts or sources")  # a third folder with photos does not help them
    for name in ("set_a", "set_b"):
        fill(tmp_path / "3" / name, ("WithMask", "without_mask"), 2, size_px=8)
    stops(tmp_path / "3", "set_a is not a class folder: .*set_a holds a set of its own; move it, or give it as DATA")


@pytest.mark.parametrize("inner", ["without_mask", "WithoutMask", "Without_Mask", "sub/without_mask"])
def test_a_class_inside_another_is_named(photo_folder, inner):
    fill(photo_folder / "with_mask", (inner,), 2, size_px=8)
    said = stops(photo_folder, "lies in class 'with_mask' and bears the name of class 'without_mask'; move or rename")
    assert str(photo_folder / "with_mask" / inner) in said
    shutil.rmtree(photo_folder / "with_mask" / inner)
    fill(photo_folder / "with_mask", ("with_mask",), 2, size_px=8)  # unpacked twice: its own name is no other class
    assert found(photo_folder) == {"": {"with_mask": 17, "without_mask": 15}}


def test_parts_inside_classes_are_refused(tmp_path):
    for label in folders.REPORT_CLASSES:
        fill(tmp_path / "photos" / label, ("train", "val"), 2, size_px=8)
    said = stops(tmp_path / "photos", "class 'with_mask' of .* is divided into train, val")
    assert said.endswith("put the class folders into the parts, as photos/train/with_mask")


def test_own_classes_come_before_an_old_copy_of_the_12k_layout(tmp_path):
    root = fill(tmp_path / "photos", ("a", "b", "c"), 3, size_px=8)
    fill(root / "old" / "Face Mask Dataset" / "Train", ("WithMask", "WithoutMask"), 2, size_px=8)
    source = folders.find(str(root))
    assert (source.photos, tuple(source.training)) == ("photos", ("a", "b", "c"))
    assert source.remarks == (f"not used: {root / 'old' / 'Face Mask Dataset' / 'Train'} holds a set of its own",)
    (root / "old").rename(root / "a" / "old")
    stops(root, "photos/a is not a class folder: .*a/old/Face Mask Dataset/Train holds a set of its own; move it")


def test_a_set_beside_too_few_classes_is_named(tmp_path):
    fill(tmp_path / "Face Mask Dataset" / "Train", ("WithMask", "WithoutMask"), 2, size_px=8)
    (tmp_path / "notes").mkdir()
    stops(
        tmp_path, "Face Mask Dataset is not a class folder: .*Train holds a set of its own; move it, or give it as DATA"
    )


def test_classes_that_look_alike_are_hinted_at(tmp_path):
    names = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    (remark,) = folders.find(str(fill(tmp_path / "1", names, 2, size_px=8))).remarks
    assert remark.isascii() and "look alike (one accent encoded in two ways, NFC and NFD)" in remark
    (remark,) = folders.find(str(fill(tmp_path / "2", ("no mask", "No-Mask", "dog"), 2, size_px=8))).remarks
    assert remark.startswith("classes 'No-Mask' and 'no mask' look alike (another case, space or dash)")
    assert not folders.find(str(fill(tmp_path / "3", ("猫", "犬"), 2, size_px=8))).remarks


def test_a_flat_folder_is_told_where_photos_belong(tmp_path):
    fill(tmp_path, ("photos",), 3, size_px=8)
    said = stops(tmp_path / "photos", "one sub-folder of photos per class, two or more; it holds none")
    assert said.endswith(
        "and photos without a class; put the photos of each class into a folder of its own, such as photos/with_mask"
    )
    (tmp_path / "photos" / "labels.csv").write_text("file,label\n000.png,cat\n")
    said = stops(tmp_path / "photos", "labels are not read from labels.csv; put the photos of each class into a folder")
    assert "folder above" not in said
    fill(tmp_path / "x", ("images",), 3, size_px=8)
    (tmp_path / "x" / "labels.csv").write_text("file,label\n000.png,cat\n")
    stops(tmp_path / "x", "it holds images; labels are not read from labels.csv; put the photos")
    (tmp_path / "empty").mkdir()
    stops(tmp_path / "empty", "two or more; it holds none$")


# --- names ----------------------------------------------------------------------------------------


def test_only_litter_known_by_its_name_is_passed_over(photo_folder):
    for name in ("__pycache__", ".git", "$RECYCLE.BIN", ".Trashes"):
        fill(photo_folder / name, ("x",), 1, size_px=8)
    (photo_folder / "with_mask" / "._000.png").write_bytes(b"\0\5\x16\7 what a Mac writes beside 000.png")
    assert found(photo_folder) == {"": {"with_mask": 15, "without_mask": 15}}
    draw_photo(1).save(photo_folder / "with_mask" / "__new.png")
    draw_photo(2).save(photo_folder / "with_mask" / ".hidden.png")
    draw_photo(3).save(photo_folder / "with_mask" / "._photo.png")
    fill(photo_folder, ("__class", ".third"), 2, size_px=8)
    assert found(photo_folder) == {"": {"with_mask": 18, "without_mask": 15, "__class": 2, ".third": 2}}


def test_predict_takes_what_begins_with_two_underscores(tmp_path):
    from maskkit.deploy import photo_files

    folder = fill(tmp_path / "photos", ("__new", ".old", "__MACOSX"), 1, size_px=8)
    draw_photo(1).save(folder / "__a.png")
    files, _ = photo_files.find_files([str(folder)], None)
    assert [os.path.relpath(name, folder) for name in files] == ["__a.png", ".old/000.png", "__new/000.png"]


@pytest.mark.parametrize("place", ["class", "folder"])
def test_a_name_that_is_not_utf_8_is_said_before_any_kernel(tmp_path, capsys, monkeypatch, place):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    odd = os.fsdecode(b"caf\xe9")
    root = fill(tmp_path / (odd if place == "folder" else "photos"), ("a", odd if place == "class" else "b"), 10, 8)
    assert main.main(["reproduce", "--set", f"DATA={root}", "--set", "WEIGHTS=packaged"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("maskkit: DATA: the folder name b'") and r"caf\xe9" in line
    assert line.endswith("is not UTF-8; rename the folder")


# --- before any kernel ----------------------------------------------------------------------------


@pytest.fixture
def reproduced(tmp_path, monkeypatch, capsys):
    """What `maskkit reproduce` says of a folder: (exit code, standard output, standard error); it runs no notebook."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(reproduce, "execute_all", lambda *_: (_ for _ in ()).throw(ValueError("kernel")))

    def run(folder, **settings):
        texts = {"DATA": folder, "ARCH": "mobilenet_v2", "WEIGHTS": "none"} | settings
        code = main.main(["reproduce", *(f"--set={name}={value}" for name, value in texts.items())])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_an_empty_class_is_found_before_any_kernel(photo_folder, reproduced):
    for path in sorted((photo_folder / "with_mask").iterdir())[1:]:
        path.unlink()
    code, out, err = reproduced(photo_folder)
    assert (code, out) == (2, "")
    line = f"maskkit: DATA: {photo_folder / 'with_mask'} holds 1 file; class 'with_mask' needs at least 10 photos"
    assert err.splitlines() == [line]


def test_the_folder_that_was_chosen_is_said(tmp_path, reproduced):
    root = parts(tmp_path / "w" / "photos", train=10, val=1, test=1)
    _, out, err = reproduced(tmp_path / "w")
    assert err == "maskkit: kernel\n"
    assert f"photos are drawn from {root / 'train'}; beside it, for measuring: val, test; classes: cat, dog\n" in out
    assert reproduced(tmp_path / "w", SPLIT="given")[2] == "maskkit: kernel\n"
    code, _, err = reproduced(root / "val", SPLIT="given")
    assert code == 2 and err.startswith("maskkit: SPLIT='given' needs a training and a validation folder")
    shutil.rmtree(root / "val" / "dog")
    (root / "val" / "dog").mkdir()
    assert "val/dog holds 0 files; class 'dog' needs at least 1 photo" in reproduced(root, SPLIT="given")[2]


# --- Kaggle ---------------------------------------------------------------------------------------


@pytest.fixture
def kaggle_input(tmp_path, monkeypatch):
    """Kaggle's mounted input, empty; what is fetched fails."""
    monkeypatch.setattr(paths, "KAGGLE_INPUT", tmp_path / "input")
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(kaggle, "DOWNLOAD", "print('ConnectionError: HTTPSConnectionPool(...)'); raise SystemExit(1)")
    monkeypatch.setattr(faces, "make", lambda folder: fill(folder, folders.REPORT_CLASSES, 10, size_px=8))
    paths.KAGGLE_INPUT.mkdir()
    return paths.KAGGLE_INPUT


def layout_12k(folder, n=3):
    """`n` photos of each class, called as in the 12K set, in parts Train and Test."""
    for part in ("Train", "Test"):
        fill(folder / part, ("WithMask", "WithoutMask"), n, size_px=8)
        for index, path in enumerate(sorted((folder / part / "WithMask").iterdir())):
            path.rename(path.with_name(f"Augmented_{index}_{index}.png"))
    return folder


@pytest.mark.parametrize("data_name", ["auto", "kaggle"])
@pytest.mark.parametrize("names", [("with_mask", "without_mask"), ("WithMask", "WithoutMask")])
@pytest.mark.parametrize("place", ["mask-dataset/data-mask", "datasets/ann/mask-dataset/data-mask", "m/a/train"])
def test_the_report_s_own_path_is_found(kaggle_input, place, names, data_name):
    fill(kaggle_input / place, names, 2, size_px=8)
    (kaggle_input / "maskkit-offline").mkdir()
    source = folders.find(data_name)
    assert source.kind == "kaggle" and source.training["with_mask"] == kaggle_input / place / names[0]
    assert source.photos == place.removesuffix("/train")  # no name of a file shows the 12K set


def test_of_several_mounted_sets_the_12k_one_is_taken_and_the_others_named(kaggle_input):
    fill(kaggle_input / "a" / "data-mask", folders.REPORT_CLASSES, 2, size_px=8)
    root = layout_12k(kaggle_input / "z" / "Face Mask Dataset")
    source = folders.find("auto")
    assert (source.photos, source.folder, set(source.parts)) == ("Kaggle 12K", root, {"Train", "Test"})
    assert source.remarks == (
        f"2 mounted folders hold the report's two classes: {root} was taken; DATA=<folder> takes another: "
        f"{kaggle_input / 'a' / 'data-mask'}",
    )


def test_what_is_mounted_and_of_no_use_is_named(kaggle_input, monkeypatch):
    fill(kaggle_input / "cats-and-dogs", TWO, 2, size_px=8)
    fill(kaggle_input / "three", (*folders.REPORT_CLASSES, "worn_wrongly"), 2, size_px=8)
    with pytest.raises(FileNotFoundError, match=r"No folder mounted in .*input \(cats-and-dogs, three\) holds with"):
        folders.find("kaggle")
    note = folders.find("auto").note
    assert "(cats-and-dogs, three) holds with_mask and without_mask, and Kaggle could not be reached, so this" in note


def test_a_mounted_set_that_cannot_be_used_is_an_error(kaggle_input):
    fill(kaggle_input / "m" / "data-mask", folders.REPORT_CLASSES, 2, size_px=8)
    fill(kaggle_input / "m" / "data-mask" / "with_mask", ("without_mask",), 2, size_px=8)
    stops("auto", "lies in class 'with_mask' and bears the name of class 'without_mask'")


def test_a_fallback_is_one_plain_sentence_and_the_reason_stands_below(kaggle_input, capsys):
    check_inputs.check_inputs({"DATA": "auto", "ARCH": "mobilenet_v2", "WEIGHTS": "none"}, print)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(
        "FALLING BACK: Kaggle could not be reached, so this run uses synthetic faces. How to use the real photos: open "
    )
    assert "Error" not in first and second.startswith("    Tried to download http") and "ConnectionError" in second


# --- the 12K set ----------------------------------------------------------------------------------


def test_the_12k_set_is_known_by_its_file_names_and_nothing_else(tmp_path):
    root = layout_12k(tmp_path / "Face Mask Dataset")
    source = folders.find(str(root))
    assert source.is_12k and source.photos == "Kaggle 12K"
    drawn = tmp_path / "data-mask"  # a draw of it, as the report has it
    for ours, theirs in (("with_mask", "WithMask"), ("without_mask", "WithoutMask")):
        shutil.copytree(root / "Train" / theirs, drawn / ours)
    assert folders.find(str(drawn)).photos == "Kaggle 12K"
    for path in (root / "Train" / "WithMask").iterdir():
        path.rename(path.with_name(f"photo-{path.name}"))
    source = folders.find(str(root))
    assert not source.is_12k and source.photos == "Face Mask Dataset" and set(source.parts) == {"Train", "Test"}


def test_a_folder_that_is_only_called_so_is_not_the_12k_set(tmp_path):
    fill(tmp_path / "set" / "Train", ("WithMask", "WithoutMask"), 3, size_px=8)  # 000.png in both: no augmented name
    assert folders.find(str(tmp_path / "set")).photos == "set"


# --- the same bytes in two classes ----------------------------------------------------------------


def test_files_with_two_labels_are_named_drawn_or_not(tmp_path):
    root = fill(tmp_path / "photos", TWO, 14, size_px=8)
    shutil.copy(root / "cat" / "003.png", root / "dog" / "copy.png")
    rows, rejected = curate(root, tmp_path / "run", per_class=10, seed=0)
    drawn = {row["source"] for row in rows}
    assert not {"cat/003.png", "dog/copy.png"} <= drawn  # the draw alone would say nothing
    conflicting = conflicts.read(tmp_path / "run")
    assert [(row["source"], row["label"], row["drawn"]) for row in conflicting] == [
        (name, name[:3], "yes" if name in drawn else "no") for name in ("cat/003.png", "dog/copy.png")
    ]
    said = split.format_notes(rows, rejected, 10, conflicting)
    assert (
        "in two classes or more with the same bytes: 1 photo; one of the labels is wrong" in said
        and "cat/003.png = dog/copy.png" in said
    )
    assert "two classes" not in split.format_notes(rows, rejected, 10, [])
    curate(fill(tmp_path / "none", TWO, 10, size_px=8), tmp_path / "run")
    assert conflicts.read(tmp_path / "run") == [] and (tmp_path / "run" / "conflicts.csv").is_file()


def test_a_corrected_label_settles_the_conflict(tmp_path):
    from maskkit import corrections

    root = fill(tmp_path / "photos", TWO, 12, size_px=8)
    shutil.copy(root / "cat" / "003.png", root / "dog" / "copy.png")
    rows, _ = curate(root, tmp_path / "run")
    row = next(row for row in rows if row["source"] == "dog/copy.png")
    corrections.append(tmp_path / "c.csv", sha256=row["sha256"], source=row["source"], found="dog", label="cat")
    curate(root, tmp_path / "run", correct_by=str(tmp_path / "c.csv"))
    assert disk.read_csv(tmp_path / "run" / "conflicts.csv") == []
