from collections import Counter

import pytest
from conftest import draw_photo, fill

from maskkit import data, split
from maskkit.core import disk, paths
from maskkit.sources import decoding, faces, folders, kaggle, listing


def curate(folder, run_dir, **settings):
    return split.curate(
        folders.find(str(folder)), run_dir, **{"per_class": 0, "split": "grouped", "seed": 0} | settings
    )


@pytest.fixture
def layout_12k(tmp_path):
    """The 12K layout in small: Train has originals and augmented siblings, Test has photos of its own."""
    root = tmp_path / "download" / "Face Mask Dataset"
    for part, start in (("Train", 0), ("Test", 500)):
        fill(root / part, ("WithMask", "WithoutMask"), 30, size_px=16)
        for index, path in enumerate(sorted((root / part / "WithMask").iterdir())):
            path.rename(path.with_name(f"Augmented_{index // 3}_{start + index}.png"))
    return tmp_path / "download"


# --- finding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "Face Mask Dataset", "Face Mask Dataset/Train"])
def test_12k_layout_is_found_from_above_and_below_and_draws_from_train_only(layout_12k, tmp_path, below):
    rows, _ = curate(layout_12k / below, tmp_path / "run", per_class=20)
    assert Counter(row["label"] for row in rows) == {"with_mask": 20, "without_mask": 20}
    root = layout_12k / "Face Mask Dataset"
    assert all((root / row["source"]).is_file() and row["source"].startswith("Train/") for row in rows)


def test_named_test_part_is_a_plain_folder_with_our_class_names(layout_12k):
    source = folders.find(str(layout_12k / "Face Mask Dataset" / "Test"))
    assert (source.kind, source.photos) == ("folder", "Test")
    assert tuple(listing.class_folders(source.folder)) == folders.REPORT_CLASSES


def test_refusals_say_what_to_do(tmp_path, photo_folder):
    archive = tmp_path / "photos.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(ValueError, match="unpack it first"):
        folders.find(str(archive))
    with pytest.raises(FileNotFoundError, match="one sub-folder per class"):
        folders.find(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="give the folder above it"):
        folders.find(str(photo_folder / "with_mask"))
    (photo_folder / "WithMask").mkdir()
    with pytest.raises(ValueError, match="are both class 'with_mask'"):
        folders.find(str(photo_folder))


def test_auto_falls_back_to_the_demo_set_loudly_and_kaggle_does_not(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "DATA", tmp_path)
    monkeypatch.setattr(kaggle, "DOWNLOAD", "print('no route to host'); raise SystemExit(1)")
    monkeypatch.setattr(faces, "make", lambda folder: folder)
    source = folders.find("auto")
    assert (source.kind, source.photos) == ("demo", "demo (Kaggle not reached)")
    assert "no route to host" in source.note and "How to use the real photos: open" in source.note
    with pytest.raises(FileNotFoundError, match="no route to host(.|\n)*By hand"):
        folders.find("kaggle")


def test_a_long_reason_is_cut_between_words_and_says_so():
    reason, _ = str(kaggle.explain("resolution of the name failed; " * 40)).split("\n")
    assert reason.endswith(" ...") and reason.split()[-2] in ("resolution", "of", "the", "name", "failed;")


def test_a_hanging_download_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "DATA", tmp_path)
    monkeypatch.setattr(kaggle, "DOWNLOAD", "import time; time.sleep(60)")
    with pytest.raises(FileNotFoundError, match="longer than 0.5 s"):
        kaggle.fetch(time_limit=0.5)


def test_what_kaggle_gave_is_found_again_without_a_download(monkeypatch, tmp_path, layout_12k):
    monkeypatch.setattr(paths, "DATA", tmp_path)
    monkeypatch.setattr(kaggle, "DOWNLOAD", "print('asked twice'); raise SystemExit(1)")
    kaggle.fetched_folder().parent.mkdir(parents=True)
    layout_12k.rename(kaggle.fetched_folder())
    assert folders.find("auto").kind == "kaggle"


# --- drawing and splitting ----------------------------------------------------------------------


def test_the_report_s_200_photos_give_80_and_20_of_each_class(tmp_path):
    fill(tmp_path / "photos", ("with_mask", "without_mask"), 110, size_px=8)
    rows, _ = curate(tmp_path / "photos", tmp_path / "run", per_class=100)
    both = folders.REPORT_CLASSES
    assert data.count_by_class(rows) == {"train": dict.fromkeys(both, 80), "val": dict.fromkeys(both, 20)}
    assert data.format_summary(rows) == "160 train, 40 validation, classes with_mask, without_mask"
    assert len({row["file"] for row in rows}) == len({row["source"] for row in rows}) == 200
    assert all(decoding.sha256(tmp_path / "run" / "data-mask" / row["file"]) == row["sha256"] for row in rows)


def test_no_group_sits_in_both_parts(layout_12k, tmp_path):
    twin = layout_12k / "Face Mask Dataset" / "Train" / "WithoutMask"
    (twin / "copy.png").write_bytes((twin / "000.png").read_bytes())
    rows, _ = curate(layout_12k, tmp_path / "run")
    parts = {}
    for row in rows:
        parts.setdefault(row["group"], set()).add(row["part"])
    assert all(len(found) == 1 for found in parts.values())
    sizes = Counter(row["group"] for row in rows if row["label"] == "with_mask")
    assert set(sizes.values()) == {3}  # the three augmented files of one original
    assert data.count_by_class(rows)["val"] == {"with_mask": 6, "without_mask": 6}  # 20 % of 30 and of 31


def test_the_report_s_random_split_does_break_groups_up(layout_12k, tmp_path):
    rows, _ = curate(layout_12k, tmp_path / "run", split="random")
    parts = {}
    for row in rows:
        parts.setdefault(row["group"], set()).add(row["part"])
    assert any(len(found) == 2 for found in parts.values())


def test_originals_join_their_augmented_files_only_where_all_are_there(tmp_path, monkeypatch):
    train = tmp_path / "Train"
    fill(train, ("WithMask", "WithoutMask"), 12, size_px=8)
    names = sorted(path.name for path in (train / "WithMask").iterdir())
    (train / "WithMask" / names[11]).rename(train / "WithMask" / "Augmented_3_99.png")
    drawn = {path: ("with_mask", path.name) for path in (train / "WithMask").iterdir()}
    monkeypatch.setattr(folders, "N_ORIGINALS_12K", 11)
    source = folders.find(str(train))
    groups = {path.name: group for path, group in split.name_groups(drawn, source, {}).items()}
    assert groups["Augmented_3_99.png"] == groups["003.png"] != groups["004.png"]
    monkeypatch.setattr(folders, "N_ORIGINALS_12K", 12)
    groups = {path.name: group for path, group in split.name_groups(drawn, source, {}).items()}
    assert groups["Augmented_3_99.png"] != groups["003.png"]


def test_one_original_only_cannot_be_split(tmp_path):
    fill(tmp_path / "photos", ("a", "b"), 10)
    for path in (tmp_path / "photos" / "a").iterdir():
        draw_photo(5).save(path)
    with pytest.raises(ValueError, match="come from 1 originals.*SPLIT='random'"):
        curate(tmp_path / "photos", tmp_path / "run")


@pytest.mark.parametrize(
    ("sizes", "target", "total"), [([2, 2, 3], 3, 3), ([3, 3, 3], 4, 3), ([1] * 5, 2, 2), ([9], 2, 0)]
)
def test_choose_sum_is_exact_or_just_below(sizes, target, total):
    assert sum(sizes[index] for index in split.choose_sum(sizes, target)) == total


def test_same_seed_same_bytes_another_seed_other_photos(photo_folder, tmp_path):
    texts = []
    for run, seed in (("a", 3), ("b", 3), ("c", 4)):
        curate(photo_folder, tmp_path / run, per_class=10, seed=seed)
        texts.append((tmp_path / run / "split.csv").read_bytes())
    assert texts[0] == texts[1] != texts[2]


def test_broken_files_are_excluded_and_replaced(photo_folder, tmp_path):
    for name in ("000.png", "007.png"):
        (photo_folder / "with_mask" / name).write_bytes(b"no photo")
    (photo_folder / "with_mask" / ".DS_Store").write_bytes(b"litter")
    rows, rejected = curate(photo_folder, tmp_path / "run", per_class=13)
    assert data.count(rows, "train") + data.count(rows, "val") == 26
    assert {row["source"] for row in rejected} == {"with_mask/000.png", "with_mask/007.png"}
    assert disk.read_csv(tmp_path / "run" / "rejected.csv") == rejected


def test_too_few_good_photos_is_an_error_with_the_numbers(photo_folder, tmp_path):
    for path in list((photo_folder / "with_mask").iterdir())[:6]:
        path.write_bytes(b"no photo")
    with pytest.raises(ValueError, match="9 photos that can be decoded of 15 files.*at least 10"):
        curate(photo_folder, tmp_path / "run")


def test_fewer_photos_than_asked_for_are_used_and_said(photo_folder, tmp_path):
    rows, rejected = curate(photo_folder, tmp_path / "run", per_class=100)
    assert len(rows) == 30
    assert "with_mask: 15 photos are there, 100 were asked for" in split.format_notes(rows, rejected, 100, [])


def test_three_classes_odd_names_and_nested_folders(tmp_path):
    folder = fill(tmp_path / "mes photos", ("à gauche", "<b>bold", "z $5"), 12)
    (folder / "z $5" / "more").mkdir()
    draw_photo(77).save(folder / "z $5" / "more" / "000.png")
    rows, _ = curate(folder, tmp_path / "run")
    assert data.classes(rows) == ("<b>bold", "z $5", "à gauche")
    assert "z $5/more__000.png" in {row["file"] for row in rows}


@pytest.mark.parametrize("settings", [{"per_class": 5}, {"split": "leaky"}])
def test_settings_out_of_range(photo_folder, tmp_path, settings):
    with pytest.raises(ValueError, match="must be"):
        curate(photo_folder, tmp_path / "run", **settings)


# --- reading back -------------------------------------------------------------------------------


def test_a_removed_photo_and_a_changed_one_are_named(curated, dwarf):
    run_dir, rows = curated
    dataset = data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf)
    victim = run_dir / "data-mask" / rows[0]["file"]
    victim.unlink()  # data-mask holds hard links: writing in place would change the user's photo
    draw_photo(999).save(victim)
    with pytest.raises(ValueError, match="has changed since split.csv"):
        dataset[0]
    victim.unlink()
    with pytest.raises(FileNotFoundError, match="29 of the 30 photos in split.csv; run 01_prepare"):
        data.read_split(run_dir)
    with pytest.raises(FileNotFoundError, match="run 01_prepare.ipynb with the same RUN first"):
        data.read_split(run_dir / "elsewhere")


def test_a_sample_may_be_of_the_first_classes_by_name(curated):
    run_dir, rows = curated
    images, labels = data.sample(rows, run_dir, per_class=3, seed=0, most_classes=1)
    assert len(images) == 3 and set(labels) == {0}
    assert [image.tobytes() for image in data.sample(rows, run_dir, per_class=3, seed=0)[0][:3]] == [
        image.tobytes() for image in images
    ]
