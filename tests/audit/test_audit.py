"""Each light red on a set made to be bad and green on a good one; the whole audit on drawn faces; wrong inputs."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from conftest import draw_photo, fill
from PIL import Image

from maskkit import checkpoint, model, pretrained, split
from maskkit.audit import audit, leaks, lights, sections, shortcuts
from maskkit.cli import main
from maskkit.core import paths
from maskkit.html import audit_section
from maskkit.report import REPORT_RECIPE
from maskkit.sources import folders

RECIPE = REPORT_RECIPE | {"learning_rate": 0.05}


def features(n, distance, seed=0):
    """(X, labels): n photos of two classes, `distance` standard deviations apart in each of 8 numbers."""
    chance = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    X = chance.normal(size=(n, 8)) + distance * (labels[:, None] - 0.5)
    return torch.from_numpy(X.astype(np.float32)), labels


# --- the six lights -----------------------------------------------------------------------------


@pytest.mark.parametrize(("distance", "expected"), [(6.0, "green"), (0.3, "red")])
def test_luck_of_the_split(distance, expected):
    X, labels = features(400, distance)
    everyone = np.ones(400, dtype=bool)
    entries, missed = sections.repeated_splits(
        "resnet18", X, labels, np.arange(400), everyone, recipe=RECIPE, seed=0, n_splits=200
    )
    assert lights.light("split_luck", missed)["light"] == expected
    best, last = entries["resnet18_best"], entries["resnet18_last"]
    assert sum(best["distribution"]) == 200 and len(best["distribution"]) == 41
    assert best["value"] >= last["value"] and best["flattery"] >= -0.01
    assert (best["flattery"] > 0.01) == (expected == "red")  # choosing flatters where epochs differ
    assert abs(entries["resnet18_unseen"]["value"] - last["value"]) < 0.05


def test_luck_without_photos_left_over_is_said():
    X, labels = features(60, 6.0)
    entries, missed = sections.repeated_splits(
        "resnet18", X, labels, np.arange(60), np.ones(60, dtype=bool), recipe=RECIPE, seed=0, n_splits=5
    )
    assert entries["resnet18_unseen"]["value"] is None and "left over" in entries["resnet18_unseen"]["sentence"]
    assert entries["resnet18_best"]["flattery"] is None and missed["value"] == 0


@pytest.mark.parametrize(("n_leaked", "expected"), [(0, "green"), (1, "amber"), (10, "red")])
def test_leaks(n_leaked, expected):
    training = np.arange(200) < 160
    groups = np.arange(200)
    groups[160 : 160 + n_leaked] = np.arange(n_leaked)
    held = sections.held_out_leaks({"sha256": np.arange(200), "all": groups}, training, ~training, "Test")
    light = lights.light("leaks", held, judged=[held["value"]] * 2)
    assert light["light"] == expected and held["value"] == n_leaked / 40
    assert held["by_detector"] == {"sha256": 0.0}


@pytest.mark.parametrize(("gives_away", "expected"), [(False, "green"), (True, "red")])
def test_shortcuts(gives_away, expected):
    X, labels = features(600, 4.0)
    sizes = np.random.default_rng(1).integers(60, 200, (600, 2)).astype(np.float32)
    sizes += 300 * gives_away * labels[:, None]
    parts = np.full(600, "")
    entries, light = sections.shortcut_entries(
        {"width_height": sizes}, X, "resnet18", labels, np.arange(600), parts, recipe=RECIPE, seed=0
    )
    assert light["light"] == expected
    assert (entries["width_height"]["value"] > 0.95) == gives_away
    assert entries["model"]["value"] > 0.95 and abs(entries["guess"]["value"] - 0.5) < 0.05


def test_weak_measures_do_not_move_the_light():
    X, labels = features(400, 4.0)
    given = {"width_height": np.ones((400, 2), np.float32), "file_size": labels[:, None].astype(np.float32)}
    entries, light = sections.shortcut_entries(
        given, X, "resnet18", labels, np.arange(400), np.full(400, ""), recipe=RECIPE, seed=0
    )
    assert entries["file_size"]["value"] == 1.0 and light["light"] == "green"


def test_a_test_part_is_measured_without_its_versions_in_train():
    labels = np.arange(120) % 2
    parts = np.repeat(["Train", "Test"], [80, 40])
    groups = np.arange(120)
    groups[80:90] = np.arange(10)
    way = shortcuts.protocol(labels, groups, parts, 0)
    ((train, test),) = way.pairs
    assert len(test) == 40 and set(train) == set(range(10, 80)) and way.measured_on.startswith("the Test part")
    assert len(shortcuts.protocol(labels, groups, np.full(120, ""), 0).pairs) == 5


@pytest.mark.parametrize(("hurts", "expected"), [("lower_half", "green"), ("upper_half", "red")])
def test_mouth(hurts, expected):
    labels = np.arange(80) % 2
    sure = np.eye(2)[labels] * 0.9 + 0.05
    found = {("whole", ""): sure}
    for region in ("lower_half", "upper_half", "background"):
        for fill_ in ("blur", "mean"):
            found[region, fill_] = np.full((80, 2), 0.5) if region == hurts else sure
    entries = sections.region_entries("resnet18", found, labels, np.arange(80), 0)
    assert lights.light("mouth", entries["resnet18_mouth"])["light"] == expected
    assert entries["resnet18_whole"]["value"] == 1 and entries[f"resnet18_{hurts}_mean"]["value"] == 0.5


@pytest.mark.parametrize(("share", "expected"), [(0.99, "green"), (0.6, "red")])
def test_other_source(share, expected):
    labels = np.arange(400) % 2
    right = np.random.default_rng(0).random(400) < share
    probabilities = np.eye(2)[np.where(right, labels, 1 - labels)]
    files = [str(index) for index in range(400)]
    entry = sections.against_entry(labels, probabilities, np.arange(400), ("a", "b"), files, "there", 0.98, 0)
    assert lights.light("other_source", entry, (0.93, 0.88))["light"] == expected
    assert np.sum(entry["confusion"]) == 400 and len(entry["mistakes"]) == (~right).sum()


@pytest.mark.parametrize(("sharpness", "expected"), [(1.0, "green"), (6.0, "red")])
def test_calibration(sharpness, expected):
    chance = np.random.default_rng(0)
    logits = np.zeros((1500, 2))
    logits[:, 0] = chance.normal(0, 3, 1500)
    labels = (chance.random(1500) > 1 / (1 + np.exp(-logits[:, 0]))).astype(int)
    entries = sections.calibration_entries(logits * sharpness, labels, np.arange(1500), "photos", 0)
    assert lights.light("calibration", entries["ece"])["light"] == expected
    assert entries["ece_scaled"]["temperature"] == pytest.approx(sharpness, rel=0.15)
    assert entries["dont_know"]["value"] < 0.03 < 0.5 < entries["dont_know"]["answered"] + 0.3


def test_judging_by_intervals():
    assert lights.judge((0.0, 0.04), 0.05, 0.2) == "green" and lights.judge((0.3, 0.4), 0.05, 0.2) == "red"
    assert lights.judge((0.04, 0.3), 0.05, 0.2) == "amber" and lights.judge(None, 0.05, 0.2) == "unknown"
    assert lights.judge((0.7, 0.9), 2 / 3, 0.5) == "green" and lights.judge((0.2, 0.4), 2 / 3, 0.5) == "red"


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
    patch.setattr(sections, "N_SPLITS", 30)
    elsewhere = fill(out / "elsewhere", folders.REPORT_CLASSES, 12, size_px=64)
    before = {path: path.read_bytes() for path in drawn.rglob("*.*")}
    result = audit.audit(
        drawn, out, arch="mobilenet_v2", weights="packaged", compare="run", against=elsewhere, say=lambda _: None
    )
    patch.undo()
    assert before == {path: path.read_bytes() for path in drawn.rglob("*.*")}
    return result, out


def test_audit_json_is_complete_and_in_range(whole):
    result, out = whole
    assert json.loads((out / "audit.json").read_text()) == json.loads(json.dumps(result))
    assert list(result["lights"]) == list(lights.TITLES)
    for section in ("splits", "leaks", "shortcuts", "regions", "against", "files", "calibration"):
        assert result[section], section
        for name, one in result[section].items():
            assert one["light"] in ("green", "amber", "red", "unknown") and one["sentence"], name
            if one["value"] is not None:
                low, high = one["interval"]
                assert 0 <= low <= one["value"] + 1e-9 and one["value"] <= high + 1e-9 <= 1 + 2e-9, name
    assert "width_height" in result["shortcuts"]


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
            "lights",
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
    text = audit_section.write(result, out).read_text()
    assert text.count("data:image/png") >= 10 and "<b>" not in text.split("<body>")[1].replace("<b>", "", 0)


def test_the_network_that_cannot_be_had_is_unknown(drawn, tmp_path, monkeypatch):
    def nothing(arch, weights):
        raise FileNotFoundError(f"Tried to download {arch}: no network")

    monkeypatch.setattr(pretrained, "find", nothing)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    result = audit.audit(drawn, tmp_path / "out", say=lambda _: None)
    assert "no network" in result["networks"]["resnet18"]["note"]
    assert result["lights"]["calibration"]["light"] == "unknown" == result["lights"]["split_luck"]["light"]
    assert "no network" in result["lights"]["mouth"]["sentence"]
    assert result["shortcuts"]["width_height"]["value"] is not None and result["leaks"]["all"]["value"] > 0


# --- wrong inputs -------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """(exit code, what was said) of `maskkit audit` with packaged weights."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(sections, "N_SPLITS", 3)

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
    assert code == 2 and "of 2 files 0 can be decoded" in said and "x.txt" in said
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
    assert {light["light"] for light in result["lights"].values()} <= {"unknown", "green"}
    assert "3 photos" in result["lights"]["split_luck"]["sentence"]
    assert "NaN" not in (tmp_path / "out" / "audit.json").read_text()


@pytest.mark.slow
def test_three_classes(command, faces, tmp_path):
    folder = faces(tmp_path / "three", {"a": 15, "b": 15, "c": 15})
    assert command(folder, "--weights", "packaged", "--arch", "mobilenet_v2")[0] == 0
    result = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert result["classes"] == ["a", "b", "c"] and result["shortcuts"]["guess"]["value"] < 0.5


def test_flat_is_what_shows_nothing():
    assert np.asarray(draw_photo(0)).std() > 10 * leaks.FLAT > np.asarray(Image.new("RGB", (9, 9))).std()


@pytest.mark.parametrize(
    ("n_photos", "n_classes", "expected"), [(200, 2, 1000), (2000, 2, 1000), (750, 30, 177), (5000, 100, 100)]
)
def test_an_audit_of_seconds_makes_fewer_splits_where_each_is_more_work(n_photos, n_classes, expected):
    assert audit.instant_splits(n_photos, n_classes, 10) == expected
