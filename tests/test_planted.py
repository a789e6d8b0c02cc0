"""Planted faults: recipes plant what they say, a run goes on where it stopped, and the tables by hand."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from maskkit.audit import audit, sensitivity
from maskkit.core import disk, paths

sys.path.append(str(paths.ROOT / "benchmarks"))
import planted
from planting import faults, pools, tables
from planting.versions import Version

POOL_FACES = 260
POOL = pools.synthetic(POOL_FACES)


def photos_of(folder, part=None, label=None):
    return [photo for photo in folder.photos if part in (None, photo.part) and label in (None, photo.label)]


@pytest.mark.parametrize("kind", ["bytes", "jpeg", "crop", "mirror", "light"])
@pytest.mark.parametrize("dose", faults.SHARES)
def test_copies_are_validation_photos_of_a_training_photo(kind, dose):
    folder = faults.plant(POOL, f"copies-{kind}", dose, seed=3)
    training = {photo.version.photo: photo.label for photo in photos_of(folder, "Train")}
    copies = {photo.file for photo in photos_of(folder, "Validation") if photo.version.photo in training}
    marked = {photo.file for photo, is_planted in zip(folder.photos, folder.planted, strict=True) if is_planted}
    assert copies == marked and len(copies) == round(100 * dose)
    for photo, is_planted in zip(folder.photos, folder.planted, strict=True):
        if is_planted:
            assert training[photo.version.photo] == photo.label
            assert [name for name, _ in photo.version.steps] == ([] if kind == "bytes" else [kind])


@pytest.mark.parametrize("kind", faults.SHORTCUTS)
@pytest.mark.parametrize("dose", faults.PRESENT)
def test_a_shortcut_lies_in_its_share_of_one_class_and_in_both_parts(kind, dose):
    folder = faults.plant(POOL, f"shortcut-{kind}", dose, seed=1)
    marked = [photo for photo, is_planted in zip(folder.photos, folder.planted, strict=True) if is_planted]
    assert len({photo.label for photo in marked}) == 1
    assert sum(photo.part == "Train" for photo in marked) == round(150 * dose)
    assert sum(photo.part == "Validation" for photo in marked) == round(50 * dose)
    common = faults.SHORTCUTS[kind][0]
    for photo, is_planted in zip(folder.photos, folder.planted, strict=True):
        assert (photo.version.steps != common) == is_planted


@pytest.mark.parametrize("dose", [0.02, 0.05, 0.10, 0.20])
def test_wrong_labels_are_counted_and_marked(dose):
    folder = faults.plant(POOL, "labels", dose, seed=0)
    wrong = np.array([photo.label != photo.true for photo in folder.photos])
    assert wrong.sum() == round(400 * dose) and (wrong == folder.planted).all()


@pytest.mark.parametrize("kind", ["dark", "glasses", "beard"])
@pytest.mark.parametrize("dose", faults.GAPS)
def test_a_weak_group_has_its_share_of_wrong_labels_and_no_one_else(kind, dose):
    folder = faults.plant(POOL, f"group-{kind}", dose, seed=2)
    wrong = np.array([photo.label != photo.true for photo in folder.photos])
    assert (wrong == folder.planted).all() and not wrong[~folder.group].any()
    assert wrong.sum() == round(dose * folder.group.sum())
    photos = [*zip(folder.photos, folder.group, strict=True), *zip(folder.spare, folder.spare_group, strict=True)]
    for photo, inside in photos:
        if kind == "dark":
            assert photo.version.steps == ((("light", faults.DARK),) if inside else ())
        else:
            assert POOL.attributes(photo.version.photo)[kind] == inside and photo.version.steps == ()
    if kind == "dark":
        assert 0.1 < folder.group.mean() < 0.3


def test_a_folder_without_a_weak_group_has_no_hard_faces():
    folder = faults.plant(POOL, "clean-groups", 0.0, 1)
    assert not any(POOL.is_hard(photo.version.photo) for photo in folder.photos)
    assert len({photo.version for photo in folder.photos}) == 400
    assert sum(POOL.is_hard(name) for names in POOL.by_class.values() for name in names) == 2 * POOL_FACES // 5


def test_a_confidence_is_planted_into_poor_photos_only_where_it_is_too_high():
    high, low = faults.plant(POOL, "confidence-high", 4.0, 0), faults.plant(POOL, "confidence-low", 0.25, 0)
    assert (high.confidence, low.confidence) == (4, 0.25)
    assert {photo.version.steps for photo in (*high.photos, *high.spare)} == {(("camera", 4),)}
    assert {photo.version.steps for photo in (*low.photos, *low.spare)} == {()}


def test_a_second_source_shares_no_photo_with_the_first():
    folder = faults.plant(POOL, "second-source", 2.0, seed=0)
    first, second = ({photo.version.photo for photo in photos} for photos in (folder.photos, folder.second))
    assert len(second) == len(folder.second) > 100 and not first & second
    assert {photo.version.steps for photo in folder.second} == {(("camera", 2),)}
    assert {photo.version.steps for photo in faults.plant(POOL, "second-source", 0.0, seed=0).second} == {()}


def test_the_same_four_give_the_same_folder_and_another_seed_another_one():
    first, again, other = (faults.plant(POOL, "labels", 0.05, seed) for seed in (0, 0, 1))
    assert first.photos == again.photos and first.photos != other.photos
    assert len({photo.file for photo in first.photos}) == 400
    assert not {photo.version for photo in first.photos} & {photo.version for photo in first.spare}


def test_a_clean_folder_has_no_photo_twice():
    folder = faults.plant(POOL, "clean", 0.0, seed=5)
    assert len({photo.version for photo in folder.photos}) == 400 and not folder.planted.any()


def test_two_originals_that_are_one_photo_are_one_group():
    groups = {"a1": "a", "a2": "a", "b1": "b", "c1": "c", "d1": "d"}
    same = [{"path": "b1", "same_as": "a2"}, {"path": "c1", "same_as": "b1"}]
    found = pools.joined(groups, same)
    assert found["a1"] == found["a2"] == found["b1"] == found["c1"] != found["d1"]


def test_versions_are_what_their_steps_say():
    image = Image.effect_noise((90, 60), 80).convert("RGB")
    content, suffix = Version("x", (("jpeg", 60),)).encode(image)
    coarse = Image.open(io.BytesIO(content))
    fine = Image.open(io.BytesIO(Version("x", (("jpeg", 92),)).encode(image)[0]))
    assert suffix == ".jpg" and coarse.format == "JPEG" and sum(coarse.quantization[0]) > sum(fine.quantization[0])

    def pixels(*steps):
        return np.asarray(Image.open(io.BytesIO(Version("x", steps).encode(image)[0]))).astype(int)

    original = np.asarray(image).astype(int)
    assert (pixels(("mirror", 0)) == original[:, ::-1]).all()
    assert (pixels(("crop", 10)) == original[:54, :81]).all()  # corner 0: what is kept begins at the upper left
    assert (pixels(("crop", 310)) == original[6:, 9:]).all()
    assert pixels(("size", 160)).shape == (160, 160, 3)
    framed = pixels(("border", 5))
    assert (
        framed.shape == original.shape
        and (framed[:4] == 0).all()
        and (framed[10:50, 10:80] == original[10:50, 10:80]).all()
    )
    assert (pixels(("light", 50)) <= original).all() and abs(
        pixels(("light", 50)).mean() * 2 / original.mean() - 1
    ) < 0.05


# --- a run that goes on -------------------------------------------------------------------------


def line(seed, pool="synthetic"):
    rows = [row("leaks", "copies-jpeg", 0.05, "fail", seed)]
    return json.dumps({"pool": pool, "fault": "copies-jpeg", "dose": 0.05, "seed": seed, "rows": rows}) + "\n"


def test_folders_that_are_done_are_not_audited_again_and_a_cut_line_does_not_count(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(line(0) + line(1) + line(2)[:-30])
    assert len(tables.read(path)) == 2
    planted.end_line(path)
    done = planted.folders_done(path)
    assert done == {("synthetic", "copies-jpeg", 0.05, seed) for seed in (0, 1)}
    cells = [("synthetic", "copies-jpeg", 0.05), ("12k", "copies-jpeg", 0.05)]
    left = list(planted.batches(cells, 12, done))
    assert [len(folders) for folders in left] == [3, 5, 5, 5, 2, 2]  # a round of five per cell, then the next
    assert left[0][0] == ("synthetic", "copies-jpeg", 0.05, 2)
    with open(path, "a") as stream:
        stream.write(line(2))
    assert len(planted.folders_done(path)) == 3 and len(tables.read(path)) == 3


def test_what_was_planted_for_one_check_is_left_out_for_another():
    cells = planted.cells_of({"synthetic": POOL, "12k": POOL}, ["shortcuts"])
    assert {fault for _, fault, _ in cells} == {"clean-shortcuts", *(f"shortcut-{kind}" for kind in faults.SHORTCUTS)}
    assert {pool for pool, _, _ in cells} == {"synthetic"}  # the 12K set's own shortcuts are not known


# --- the tables by hand -------------------------------------------------------------------------


def row(check, fault, dose, verdict, seed, *, value=0.04, truth=0.05, low=0.01, high=0.12, pool="synthetic"):
    named = {"check": check, "fault": fault, "dose": dose, "verdict": verdict, "seed": seed, "pool": pool}
    return named | {"value": value, "low": low, "high": high, "truth": truth, "n": 100, "seconds": 0.1, "shared": 0.2}


def rows_of(fault, dose, verdicts, **more):
    return [row("leaks", fault, dose, verdict, seed, **more) for seed, verdict in enumerate(verdicts)]


def test_a_cell_counts_folders_and_intervals_that_hold_the_truth():
    rows = rows_of("copies-jpeg", 0.05, ["fail", "fail", "warning", "pass"])
    rows[0] |= {"low": 0.06, "planted": 5, "flagged": 6, "hits": 4}
    for other in rows[1:]:
        other |= {"planted": 5, "flagged": 4, "hits": 4}
    cell = tables.cells(rows)["leaks", "copies-jpeg", "synthetic", 0.05]
    assert (cell["n"], cell["red"], cell["alarms"], cell["covered"], cell["with_truth"]) == (4, 2, 3, 3, 4)
    assert cell["recall"] == 16 / 20 and cell["precision"] == 16 / 18
    assert cell["value"] == pytest.approx(0.04) and cell["truth"] == pytest.approx(0.05)
    assert "| leaks | copies-jpeg | synthetic | 0.05 | 2 of 4 (15-85 %) |" in tables.markdown(
        {("leaks", "copies-jpeg", "synthetic", 0.05): cell}
    )


def test_the_smallest_dose_is_the_first_from_which_on_nearly_all_are_found():
    found = {dose: {"red": red, "n": 100} for dose, red in ((0.01, 0), (0.02, 96), (0.05, 93), (0.1, 100))}
    assert tables.smallest_dose(found) == (0.1, 0.02, 0.1)  # 93 of 100 may be 97 %, and 100 of 100 is above 96 %
    assert tables.smallest_dose({0.1: {"red": 3, "n": 100}}) == (None, None, None)


def test_the_worst_fault_and_the_pool_with_most_alarms_are_stated():
    rows = rows_of("copies-jpeg", 0.05, ["fail"] * 20) + rows_of("copies-crop", 0.05, ["fail"] * 18 + ["warning"] * 2)
    rows += rows_of("copies-jpeg", 0.1, ["fail"] * 20) + rows_of("copies-crop", 0.1, ["fail"] * 19 + ["warning"])
    rows += rows_of("clean", 0.0, ["pass"] * 20) + rows_of(
        "clean", 0.0, ["pass"] * 18 + ["warning", "fail"], pool="12k"
    )
    assert tables.statements(tables.cells(rows)) == {
        "leaks": {"found": 19, "planted": 20, "dose": 0.1, "fault": "copies-crop", "alarms": 2, "clean": 20}
    }


def test_a_confidence_too_low_is_as_strong_as_one_that_is_as_much_too_high():
    def confidence(fault, dose, verdicts):
        return [row("calibration", fault, dose, verdict, seed) for seed, verdict in enumerate(verdicts)]

    rows = confidence("confidence-high", 4.0, ["fail"] * 20) + confidence("confidence-high", 2.0, ["warning"] * 20)
    rows += confidence("confidence-low", 0.25, ["fail"] * 19 + ["warning"])
    rows += confidence("confidence-low", 0.5, ["fail"] * 20)
    rows += confidence("confidence-high", 1.0, ["pass"] * 19 + ["fail"]) + confidence(
        "confidence-low", 1.0, ["pass"] * 20
    )
    found = tables.cells(rows)
    assert tables.statements(found)["calibration"] == {
        "found": 19, "planted": 20, "dose": 4.0, "fault": "confidence-low", "alarms": 1, "clean": 20
    }  # fmt: skip
    assert "| calibration | confidence-low | synthetic | 20 | 2 (2 to above 4) | 2 (2 to above 4) |" in tables.smallest(
        found
    )


def test_a_quick_run_misses_only_beyond_both_intervals():
    key = ("leaks", "copies-jpeg", "synthetic", 0.05)

    def cell(red, n):
        return {"red": red, "alarms": red, "n": n, "unknown": 0}

    assert not tables.compare(key, cell(10, 12), cell(98, 100))[1]
    assert tables.compare(key, cell(5, 12), cell(98, 100))[1]
    clean = ("leaks", "clean", "synthetic", 0.0)
    assert not tables.compare(clean, cell(2, 12), cell(3, 100))[1]
    assert tables.compare(clean, cell(6, 12), cell(3, 100))[1]


# --- what is stated -----------------------------------------------------------------------------


def stored_cells():
    return {tables.key_of(cell): cell for cell in disk.read_json(planted.RESULTS)["cells"]}


def test_docs_and_pages_state_what_the_benchmark_measured():
    found = stored_cells()
    text = (paths.ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    assert tables.document(found, tables.measured(found)) in text
    assert sensitivity.read() == {"measured": tables.measured(found), "sections": tables.statements(found)}


def test_what_was_measured_anew_replaces_its_cells_and_no_others(tmp_path, monkeypatch):
    for name, path in (("RESULTS", planted.RESULTS), ("DOCS", planted.DOCS)):
        monkeypatch.setattr(planted, name, tmp_path / path.name)
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(sensitivity, "PATH", tmp_path / "sensitivity.json")
    before = stored_cells()
    key = ("leaks", "clean", "synthetic", 0.0)
    assert before[key]["n"] == 100
    planted.write_results({key: before[key] | {"n": 7, "alarms": 7}})
    after = stored_cells()
    assert after.pop(key)["n"] == 7 and before.pop(key) and after == before
    assert "| leaks | clean | synthetic | 0 | 0 of 7 " in planted.DOCS.read_text(encoding="utf-8")
    assert json.loads(sensitivity.PATH.read_text())["sections"]["leaks"]["clean"] == 7


def test_each_section_says_how_often_its_check_is_right():
    for section, numbers in sensitivity.read()["sections"].items():
        said = sensitivity.describe(section)
        assert f"{numbers['found']} of {numbers['planted']} planted folders" in said["sensitivity"]
        assert f"{numbers['alarms']} get a warning or worse" in said["sensitivity"]
        assert said["messages"]["sensitivity"]["id"] == sensitivity.STATEMENTS[section]
    assert sensitivity.describe("no such section") == {}


@pytest.mark.slow
def test_the_benchmark_states_what_the_audit_of_the_same_folder_says(tmp_path, monkeypatch):
    """A planted folder, written to disk and audited as `maskkit audit` does."""
    from planting import checks
    from planting.store import Store

    monkeypatch.setattr(faults, "N_TRAIN", 40)
    monkeypatch.setattr(faults, "N_VALIDATION", 20)
    pool = pools.synthetic(70)
    store = Store(tmp_path / "store", pool)
    rows, folder, audited = checks.audit_folder(store, "copies-crop", 0.1, 0, ["leaks", "labels"])
    for photo in folder.photos:
        path = store.path(photo.version)
        target = tmp_path / "folder" / f"{photo.file}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    examination = audit.examine(
        tmp_path / "folder", tmp_path / "out", arch="mobilenet_v2", weights="packaged", compare="run", log=str
    )
    for name in ("leaks", "files"):
        examination.measure(name)
    leaks, labels = rows
    result = examination.result["results"]["leaks"]
    assert (leaks["verdict"], leaks["value"]) == (result["result"], result["value"]) and leaks["value"] > 0.05
    assert labels["flagged"] == len(examination.result["files"]["likely_wrong_label"]["files"])
