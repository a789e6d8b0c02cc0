"""The whole audit on synthetic faces, and wrong inputs."""

import copy
import csv
import json
import shutil

import numpy as np
import pytest
from conftest import draw_photo, fill, recorded_audit
from PIL import Image

from maskkit import checkpoint, model, pretrained, split
from maskkit.audit import audit, checks, leaks, page
from maskkit.audit.checks import CHECKS, split_variance
from maskkit.cli import main
from maskkit.core import disk, messages, mutes, paths
from maskkit.report import REPORT_RECIPE
from maskkit.sources import folders
from tests.audit.synthetic import CONTEXT, audited, features


def test_the_recipe_is_report_yaml_s():
    import yaml

    settings = yaml.safe_load((paths.NOTEBOOKS / "report.yaml").read_text())
    assert {name: settings[name.upper()] for name in REPORT_RECIPE} == REPORT_RECIPE


# --- the whole audit ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces(demo_set):
    """Fills a folder with n drawn faces for each of some class names; two names have masks, as there are."""
    drawn = [sorted((demo_set / name).glob("*")) for name in folders.REPORT_CLASSES]

    def fill_faces(root, numbers):
        for place, (name, n) in enumerate(numbers.items()):
            (root / name).mkdir(parents=True)
            for path in drawn[place % 2][place * 40 : place * 40 + n]:
                shutil.copy(path, root / name)
        return root

    return fill_faces


@pytest.fixture(scope="module")
def drawn(faces, tmp_path_factory):
    """30 drawn faces a class, with a black one, a copy in both classes, a mirrored one and a text file."""
    root = faces(tmp_path_factory.mktemp("audit") / "faces <b>", dict.fromkeys(folders.REPORT_CLASSES, 30))
    first = sorted((root / "with_mask").iterdir())[0]
    shutil.copy(first, root / "without_mask" / "copy.png")
    Image.open(first).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "with_mask" / "mirror.png")
    Image.new("RGB", (64, 64)).save(root / "with_mask" / "black.png")
    (root / "with_mask" / "text.jpg").write_text("no photo")
    return root


@pytest.fixture(scope="module")
def whole(drawn, tmp_path_factory):
    """(audit, its folder), MobileNetV2, against its own bare half: the command line's way."""
    out = tmp_path_factory.mktemp("out")
    patch = pytest.MonkeyPatch()
    patch.setattr(paths, "CACHE", out / "cache")
    patch.setattr(split_variance, "N_SPLITS", 30)
    elsewhere = fill(out / "elsewhere", folders.REPORT_CLASSES, 12, size_px=64)
    before = {path: path.read_bytes() for path in drawn.rglob("*.*")}
    result = audit.audit(
        drawn, out, arch="mobilenet_v2", weights="packaged", compare="run", against=elsewhere, log=lambda _: None
    )
    patch.undo()
    assert before == {path: path.read_bytes() for path in drawn.rglob("*.*")}
    return result, out


def test_audit_json_is_complete_and_in_range(whole):
    result, out = whole
    assert json.loads((out / "audit.json").read_text()) == json.loads(json.dumps(result))
    assert list(result["results"]) == [check.name for check in CHECKS if check.name]
    for section in ("splits", "leaks", "shortcuts", "regions", "against", "files", "calibration"):
        assert result[section], section
        for name, one in result[section].items():
            assert one["result"] in ("pass", "warning", "fail", "unknown") and one["sentence"], name
            if one["value"] is not None:
                low, high = one["interval"]
                assert 0 <= low <= one["value"] + 1e-9 and one["value"] <= high + 1e-9 <= 1 + 2e-9, name
    assert "width_height" in result["shortcuts"]


def test_every_sentence_is_a_message_and_every_entry_has_a_name(whole):
    result, _ = whole
    for check in result["checks"]:
        entries = result[check["section"]]
        assert check["entries"].keys() == entries.keys() and set(check["look_for"]) == set(check["figures"])
        for name in check["entries"].values():
            assert messages.in_english(name)
        for entry in (*entries.values(), *([result["results"][check["name"]]] if check["name"] else ())):
            assert messages.in_english(entry["message"]) == entry["sentence"]
    assert [check["section"] for check in result["checks"]] == [check.section for check in CHECKS]


def rows_of_table(result, name):
    """The rows of a check's table; lines that are no row follow it."""
    return [line for line in audit.format_check(result, checks.find(name)).splitlines()[2:] if line.startswith("|")]


def test_the_table_of_a_check_holds_every_sentence(whole):
    result, _ = whole
    rows = rows_of_table(result, "calibration")
    assert len(rows) == 1 + len(result["calibration"]) and rows[0].startswith("| result: Calibration (MK007) | ")
    assert rows[-1].endswith(f"| {result['calibration']['dont_know']['sentence']} |")
    rows = rows_of_table(result, "files")
    assert len(rows) == len(result["files"])  # it has no result of its own
    with pytest.raises(ValueError, match="there is no check 'colour'; there are split_variance, leaks"):
        checks.find("colour")


def test_what_was_planted_is_found(whole, drawn):
    result, out = whole
    files = {kind: one["files"] for kind, one in result["files"].items()}
    assert files["undecodable"] == ["with_mask/text.jpg"] and files["black_or_flat"] == ["with_mask/black.png"]
    assert "without_mask/copy.png" in files["same_bytes_in_two_classes"]
    assert result["leaks"]["sha256"]["pairs_across_classes"] == 1
    assert result["leaks"]["all"]["photos_in_groups"] >= 3
    groups = list(csv.DictReader((out / "groups.csv").open()))
    named = {row["file"]: row["group"] for row in groups}
    first = sorted(file for file in named if file.startswith("with_mask/") and file[10] != "b" and file[10] != "m")[0]
    assert named[first] == named["with_mask/mirror.png"] == named["without_mask/copy.png"]
    problems = list(csv.DictReader((out / "suspects.csv").open()))
    assert {"undecodable", "black_or_flat"} <= {row["problem"] for row in problems}


def test_groups_can_be_handed_to_curate(whole, drawn, tmp_path):
    _, out = whole
    rows, _ = split.curate(
        folders.find(str(drawn)), tmp_path, per_class=0, split="grouped", seed=0, groups=out / "groups.csv"
    )
    part = {row["source"]: row["part"] for row in rows}
    assert part["with_mask/mirror.png"] == part["without_mask/copy.png"] == "train"  # a group across classes trains
    with pytest.raises(FileNotFoundError, match="GROUPS"):
        split.curate(folders.find(str(drawn)), tmp_path, per_class=0, split="grouped", seed=0, groups="nowhere.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="sha256 and group"):
        split.read_groups(tmp_path / "other.csv")


def test_every_figure_is_there_and_the_page_holds_them(whole):
    result, out = whole
    names = {path.stem for path in (out / "figures").glob("trust_*.png")}
    assert {
        "trust_" + name
        for name in (
            "results",
            "splits",
            "leaks",
            "shortcuts",
            "regions",
            "region_examples",
            "maps",
            "against",
            "files",
            "calibration",
        )
    } <= names
    text = page.write(result, out).read_text()
    assert text.count("data:image/png") >= 10 and "<b>" not in text.split("<body>")[1].replace("<b>", "", 0)


def test_a_figure_of_an_earlier_audit_goes(tmp_path):
    """No photo is odd any more: the page must not show the earlier sheet of odd photos."""
    examination = audit.Examination(audited(*features(40, 1)), CONTEXT, tmp_path, {"files": {}}, 0.0)
    earlier = [tmp_path / "figures" / f"trust_files.{kind}" for kind in ("png", "svg")]
    kept = tmp_path / "figures" / "trust_splits.png"
    kept.parent.mkdir()
    for path in (*earlier, kept):
        path.touch()
    assert examination.draw("files") == [] and not any(path.exists() for path in earlier) and kept.exists()


def test_the_network_that_cannot_be_had_is_unknown(drawn, tmp_path, monkeypatch):
    def nothing(arch, weights):
        raise FileNotFoundError(f"Tried to download {arch}: no network")

    monkeypatch.setattr(pretrained, "find", nothing)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    result = audit.audit(drawn, tmp_path / "out", log=lambda _: None)
    assert "no network" in result["networks"]["resnet18"]["note"]
    assert result["results"]["calibration"]["result"] == "unknown" == result["results"]["split_variance"]["result"]
    assert result["results"]["mouth"]["sentence"] == "its weights are not available"
    assert result["shortcuts"]["width_height"]["value"] is not None and result["leaks"]["all"]["value"] > 0


# --- wrong inputs -------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """(exit code, what was said) of `maskkit audit` with packaged weights."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(split_variance, "N_SPLITS", 3)

    def run(*words):
        code = main.main(["audit", *map(str, words), "--out", str(tmp_path / "out")])
        return code, capsys.readouterr().err

    return run


def test_wrong_folders_are_explained(command, tmp_path):
    (tmp_path / "empty").mkdir()
    assert command(tmp_path / "empty")[0] == 2
    (tmp_path / "one" / "with_mask").mkdir(parents=True)
    draw_photo(0).save(tmp_path / "one" / "with_mask" / "a.png")
    code, said = command(tmp_path / "one")
    assert code == 2 and "one sub-folder of photos per class" in said
    for name in ("a", "b"):
        (tmp_path / "hollow" / name).mkdir(parents=True)
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "x.txt").write_text("text")
    code, said = command(tmp_path / "hollow")
    assert code == 2 and "no file" in said
    code, said = command(tmp_path / "texts")
    assert code == 2 and "0 of 2 files can be decoded" in said and "x.txt" in said
    assert command(tmp_path / "nowhere")[0] == 2
    code, said = command(tmp_path / "texts", "--model", "nobody")
    assert code == 2 and "nobody" in said


def test_a_model_or_a_second_folder_of_other_classes_is_refused(command, tmp_path, curated):
    run_dir, _ = curated
    source = pretrained.Pretrained("mobilenet_v2", "none", None, "")
    checkpoint.save(
        model.build(source, 2, 0),
        run_dir,
        source=source,
        classes=("with_mask", "without_mask"),
        transform=model.Transform(),
        parameters={},
    )
    (run_dir / "metrics.json").write_text("{}")
    other = fill(tmp_path / "other", ("cats", "dogs"), 3)
    code, said = command(other, "--model", run_dir)
    assert code == 2 and "was trained on with_mask, without_mask, but the photos are cats, dogs" in said
    code, said = command(tmp_path / "photos", "--against", other, "--weights", "packaged", "--arch", "mobilenet_v2")
    assert code == 2 and "cats, dogs" in said


@pytest.mark.slow
def test_three_photos_of_a_class_are_too_few_and_said_so(command, faces, tmp_path):
    folder = faces(tmp_path / "few", {"a": 12, "b": 3})
    assert command(folder, "--weights", "packaged", "--arch", "mobilenet_v2")[0] == 0
    result = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert {check["result"] for check in result["results"].values()} <= {"unknown", "pass"}
    assert "3 photos" in result["results"]["split_variance"]["sentence"]
    assert "NaN" not in (tmp_path / "out" / "audit.json").read_text()


@pytest.mark.slow
def test_three_classes(command, faces, tmp_path):
    folder = faces(tmp_path / "three", {"a": 15, "b": 15, "c": 15})
    assert command(folder, "--weights", "packaged", "--arch", "mobilenet_v2")[0] == 0
    result = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert result["classes"] == ["a", "b", "c"] and result["shortcuts"]["guess"]["value"] < 0.5


def test_flat_is_what_shows_nothing():
    assert np.asarray(draw_photo(0)).std() > 10 * leaks.FLAT > np.asarray(Image.new("RGB", (9, 9))).std()


def test_a_check_measured_again_takes_the_place_of_its_first_measurement():
    check, subject, result = checks.find("calibration"), audited(*features(60, 6.0)), {"results": {}, "checks": []}
    for _ in range(2):
        audit.add_to(result, check, check.measure(subject, CONTEXT))
    assert [described["section"] for described in result["checks"]] == ["calibration"]


# --- muted checks -------------------------------------------------------------------------------


def test_a_runs_audit_keeps_what_is_muted_until_mute_is_given_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "find_run_audit", lambda *_: recorded_audit())
    disk.write_json(tmp_path / "model.json", {"model_sha256": "of another model"})

    def codes(**more):
        result = audit.audit_run(tmp_path, **more)
        assert result == disk.read_json(tmp_path / "audit.json")
        return mutes.of_audit(result)

    assert codes() == {}
    assert codes(mute="MK002: copies are wanted") == {"MK002": "copies are wanted"} == codes()
    disk.write_json(tmp_path / "model.json", {"model_sha256": recorded_audit()["model_sha256"]})  # now the whole one
    assert codes() == {"MK002": "copies are wanted"} and codes(mute="") == {}
    with pytest.raises(ValueError, match="MUTE: there is no check MK999; there are MK001"):
        audit.audit_run(tmp_path, mute="MK999: none")


def test_the_table_of_a_muted_check_says_why(whole):
    result = copy.deepcopy(whole[0])
    mutes.apply(result, {"MK007": "a pilot"})
    lines = audit.format_check(result, checks.find("calibration")).splitlines()
    assert lines[2].startswith("| result: Calibration (MK007) | – muted |") and "MK007 is muted: a pilot" in lines
