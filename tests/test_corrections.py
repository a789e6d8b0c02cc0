import re

import pytest

from maskkit import corrections, data, runs, split
from maskkit.core import paths
from maskkit.sources import folders

GIVEN = {"sha256": "a" * 64, "source": "x/1.png", "found": "x"}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    return corrections.default()


def test_the_last_line_of_a_photo_counts_and_undo_takes_it_off(file):
    corrections.append(file, **GIVEN, label="y")
    corrections.append(file, **(GIVEN | {"sha256": "b" * 64}), label=None)
    corrections.append(file, **GIVEN, label=None)
    assert corrections.labels(file) == {"a" * 64: None, "b" * 64: None}
    assert corrections.undo(file)["action"] == "exclude"
    assert corrections.labels(file) == {"a" * 64: "y", "b" * 64: None}
    assert corrections.format_summary(file) == "corrections.csv: 1 labels, 1 photos excluded"
    corrections.undo(file), corrections.undo(file)
    assert corrections.undo(file) is None and corrections.labels(file) == {}


def test_a_write_that_fails_loses_nothing(file, monkeypatch):
    corrections.append(file, **GIVEN, label="y")
    before = file.read_bytes()
    monkeypatch.setattr(runs.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        corrections.append(file, **GIVEN, label=None)
    assert file.read_bytes() == before and [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_parameter_means_none_the_default_where_it_is_there_or_a_file(file):
    assert corrections.find("") is None and corrections.find("auto") is None
    corrections.append(file, **GIVEN, label="y")
    assert corrections.find("") is None and corrections.find("auto") == file == corrections.find(str(file))
    with pytest.raises(FileNotFoundError, match="CORRECTIONS: there is no file .*none.csv"):
        corrections.find(str(file.with_name("none.csv")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "must have the columns sha256, source"),
        (",".join(corrections.COLUMNS) + "\naa,x,x,relabel,,now\n", "line 2: action must be .* got 'relabel' with ''"),
        (",".join(corrections.COLUMNS) + "\naa,x,x,delete,y,now\n", "line 2: .* got 'delete' with 'y'"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        corrections.read(tmp_path / "c.csv")


# --- in a new run -------------------------------------------------------------------------------


def curate(folder, run_dir, file):
    run_dir.mkdir(exist_ok=True)
    source = folders.find(str(folder))
    return split.curate(source, run_dir, per_class=12, split="grouped", seed=0, correct_by=str(file) if file else "")


def change(file, row, label):
    corrections.append(file, sha256=row["sha256"], source=row["source"], found=split.folder_label(row), label=label)


def test_a_new_run_differs_in_the_corrected_photos_and_in_nothing_else(photo_folder, tmp_path, file):
    before, _ = curate(photo_folder, tmp_path / "before", None)
    contents = {path: path.read_bytes() for path in photo_folder.rglob("*.png")}
    masked = [row for row in before if row["label"] == "with_mask" and row["part"] == "train"]
    change(file, masked[0], "without_mask")
    change(file, masked[1], None)
    change(file, {"sha256": "f" * 64, "source": "with_mask/of another set.png"}, "no class here")
    after, rejected = curate(photo_folder, tmp_path / "after", file)

    def known(rows):
        return {row["source"]: (row["label"], row["part"], row["sha256"], row["group"]) for row in rows}

    expected = known(before)
    expected[masked[0]["source"]] = ("without_mask", *expected[masked[0]["source"]][1:])
    del expected[masked[1]["source"]]
    assert known(after) == expected
    assert rejected == [
        {"source": masked[1]["source"], "label": "with_mask", "reason": "excluded by hand", "detail": ""}
    ]
    assert (tmp_path / "after" / "data-mask" / "without_mask" / masked[0]["file"].partition("/")[2]).is_file()
    assert sum(map(len, data.read_split(tmp_path / "after"))) == 23
    assert contents == {path: path.read_bytes() for path in photo_folder.rglob("*.png")}
    assert split.count_corrections(after, rejected) == {"relabelled": 1, "excluded": 1}
    assert split.format_notes(after, rejected, 12, []).splitlines() == [
        "1 file excluded; rejected.csv gives the reasons",
        "corrected by hand: 1 labels changed, 1 photos excluded",
    ]
    assert split.format_notes(before, [], 12, []) == "0 files excluded; rejected.csv gives the reasons"


def test_a_label_of_no_class_and_an_emptied_part_are_refused(photo_folder, tmp_path, file):
    rows, _ = curate(photo_folder, tmp_path / "run", None)
    held = [row for row in rows if row["label"] == "with_mask" and row["part"] == "val"]
    for row in held:
        change(file, row, None)
    with pytest.raises(ValueError, match="leaves no photo of class 'with_mask' in part 'val'"):
        curate(photo_folder, tmp_path / "run", file)
    change(file, held[0], "mask?")
    with pytest.raises(ValueError, match=re.escape("'mask?', no class of these photos (with_mask, without_mask)")):
        curate(photo_folder, tmp_path / "run", file)
