"""`maskkit predict --not-sure`: what the limits promise, where they come from, and the tables without a label."""

import json
import shutil

import numpy as np
import pytest
import torch
from conftest import draw_photo, fill

from maskkit import features, model
from maskkit.cli import main
from maskkit.deploy import classifier, conformal, draw_faces, partitions, predict_faces
from maskkit.improve import augment
from maskkit.sources.face_finder import Face

CLASSES = ("with_mask", "without_mask")


@pytest.fixture
def run_dir(curated, trained):
    """A run with a random network and six validation photos, three of each class."""
    folder, _ = curated
    for name in ("model.safetensors", "model.json"):
        shutil.copy(trained / name, folder)
    return folder


def calibration(**lowest):
    return conformal.Calibration({name: tuple(sorted(found)) for name, found in lowest.items()}, "sha")


# --- the limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "share", "rank"), [(20, 0.1, 2), (20, 0.0477, 1), (19, 0.1, 2), (18, 0.1, 1), (9, 0.5, 5)]
)
def test_the_limit_is_the_order_statistic_of_split_conformal_prediction(n, share, rank):
    found = np.random.default_rng(n).random(n)
    assert calibration(a=found, b=found).limits(share) == pytest.approx(np.sort(found)[[rank - 1] * 2])


def test_at_most_the_share_of_like_photos_has_its_class_ruled_out():
    chance, n, missed = np.random.default_rng(0), 20, []
    for _ in range(4000):
        found = chance.beta(5, 1, n + 1)  # the last is the new photo
        missed.append(found[-1] < calibration(a=found[:-1]).limits(0.1)[0])
    assert np.mean(missed) == pytest.approx(2 / 21, abs=0.015)  # two of the 21 places lie below the second lowest of 20


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(ValueError, match="--not-sure takes a share between 0 and 1"):
        calibration(a=[0.5] * 20).limits(share)


def test_a_share_below_what_the_photos_can_tell_is_refused_with_the_least():
    few = calibration(a=[0.5] * 50, b=[0.5] * 20)
    with pytest.raises(ValueError, match=r"less than 20 validation photos of b can tell; take 0\.048 or more"):
        few.limits(0.047)
    few.limits(0.048)


@pytest.mark.parametrize(
    ("probabilities", "sure"),
    [
        ((0.9, 0.1), True),
        ((0.1, 0.9), True),
        ((0.3, 0.7), False),  # both are possible
        ((0.29, 0.71), True),
        ((0.45, 0.55), False),  # the likeliest is not possible, the other is
    ],
)
def test_only_the_one_possible_class_is_an_answer(probabilities, sure):
    assert conformal.rule(np.array([0.3, 0.6]))(np.array(probabilities)) is sure


def test_none_possible_is_no_answer():
    assert not conformal.rule(np.array([0.9, 0.9]))(np.array([0.6, 0.4]))


# --- where they come from -----------------------------------------------------------------------


def test_the_run_s_validation_photos_are_measured_once(run_dir, monkeypatch):
    network = classifier.load_network(run_dir, "cpu")
    first = conformal.of_run(run_dir, *network)
    assert {name: len(found) for name, found in first.lowest.items()} == {"with_mask": 3, "without_mask": 3}
    assert json.loads((run_dir / "not_sure.json").read_text())["views"] == conformal.VIEWS
    monkeypatch.setattr(conformal, "measure", lambda *_: pytest.fail("measured again"))
    shutil.rmtree(run_dir / "data-mask")
    assert conformal.of_run(run_dir, *network) == first


def test_the_worst_version_of_a_photo_counts(run_dir, monkeypatch):
    network = classifier.load_network(run_dir, "cpu")
    monkeypatch.setattr(conformal, "VIEWS", 1)
    one = conformal.measure(run_dir, *network)
    monkeypatch.setattr(conformal, "VIEWS", 4)
    four = conformal.measure(run_dir, *network)
    assert all(np.all(np.array(four[name]) <= np.array(one[name])) for name in CLASSES) and four != one


def test_a_view_with_a_mask_drawn_on_a_bare_face_is_left_out(run_dir, monkeypatch):
    def always_right(network, photos, device):
        return 20 * torch.nn.functional.one_hot(photos.label_tensor(), 2).float()

    monkeypatch.setattr(augment, "BELOW_SHARE", 0.0)
    monkeypatch.setattr(augment, "MASK_SHARE", 1.0)
    monkeypatch.setattr(features, "outputs", always_right)
    lowest = conformal.measure(run_dir, *classifier.load_network(run_dir, "cpu"))
    assert min(lowest["without_mask"]) > 0.99


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content | {"model_sha256": "another"},
        lambda content: content | {"version": conformal.VERSION + 1},
        lambda content: content | {"views": conformal.VIEWS + 1},
        lambda content: content | {"lowest": {"with_mask": [0.5]}},
        lambda content: content | {"lowest": content["lowest"] | {"with_mask": []}},
        lambda content: content | {"lowest": content["lowest"] | {"with_mask": [0.5, 0.4]}},
        lambda content: content | {"lowest": content["lowest"] | {"with_mask": [float("nan")]}},
        lambda content: content | {"lowest": [1]},
        lambda content: [],
    ],
    ids=["model", "version", "views", "a class lacks", "empty", "unsorted", "nan", "no table", "no object"],
)
def test_another_file_is_not_believed(run_dir, change):
    network = classifier.load_network(run_dir, "cpu")
    good = conformal.of_run(run_dir, *network)
    path = run_dir / "not_sure.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    assert conformal.from_json(path.read_text(), CLASSES, good.model_sha256) is None
    assert conformal.of_run(run_dir, *network) == good
    assert conformal.from_json(path.read_text(), CLASSES, good.model_sha256) == good  # written anew


def test_without_photos_and_without_the_file_it_says_what_is_missing(trained):
    with pytest.raises(FileNotFoundError, match=r"--not-sure needs the run's validation photos once: .*split\.csv"):
        conformal.of_run(trained, *classifier.load_network(trained, "cpu"))


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path):
    """Thirty photos, on which the random network is more and less certain."""
    return fill(tmp_path / "many", ("a",), 30)


def test_rows_without_a_label_name_the_likeliest_class(command, many, run_dir, tmp_path):
    page = tmp_path / "page.html"
    _, plain, _ = command(many, "--model", run_dir)
    code, rows, told = command(many, "--model", run_dir, "--not-sure", 0.3, "--html", page)
    assert code == 0
    limits = conformal.of_run(run_dir, *classifier.load_network(run_dir, "cpu")).limits(0.3)
    unsure = 0
    for before, row in zip(plain, rows, strict=True):
        best = float(row["probability"])
        each = np.array([best, 1 - best] if before["label"] == CLASSES[0] else [1 - best, best])
        if conformal.rule(limits)(each):
            assert row == before
        else:
            assert row == before | {"label": "", "note": f"not sure, likeliest {before['label']}"}
            unsure += 1
    assert 0 < unsure < 30 and f"30 photos, {unsure} not sure, 0 files skipped" in told
    text = page.read_text()
    assert f"30 photos, {unsure} not sure, 0 files skipped" in text and "<span>likeliest w" in text
    assert f"{unsure} ({unsure / 30:.1%})".replace("%", " %") in text
    assert "share 0.3; with_mask from " in text and "(n = 3)" in text


def test_a_share_that_cannot_be_is_said_before_any_photo_is_read(command, many, run_dir):
    code, rows, told = command(many, "--model", run_dir, "--not-sure", 0.1)
    assert code == 2 and not rows
    assert told == "maskkit: --not-sure 0.1 is less than 3 validation photos of with_mask can tell; take 0.25 or more\n"


def test_an_exported_file_holds_it(command, many, run_dir, trained, tmp_path, capfd):
    pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    assert main.main(["export", "--model", str(run_dir), "--onnx", str(path)]) == 0
    assert "cannot serve" not in capfd.readouterr().err
    _, of_run, _ = command(many, "--model", run_dir, "--not-sure", 0.3)
    _, of_file, _ = command(many, "--onnx", path, "--not-sure", 0.3)
    assert [row["label"] for row in of_run] == [row["label"] for row in of_file]
    assert main.main(["export", "--model", str(trained), "--onnx", str(path)]) == 0
    assert "the file cannot serve `predict --not-sure`: " in capfd.readouterr().err
    code, _, told = command(many, "--onnx", path, "--not-sure", 0.3)
    assert code == 2 and "holds no calibration; export it again from a run" in told


def test_partitions_count_them_and_record_the_rule(command, many, run_dir, tmp_path):
    out = tmp_path / "out"
    code, _, told = command(many, "--model", run_dir, "--not-sure", 0.3, "--out", out)
    _, rows, _ = command(many, "--model", run_dir, "--not-sure", 0.3)
    manifest = json.loads((out / partitions.MANIFEST).read_text())
    (entry,) = manifest["partitions"]
    unsure = sum(row["label"] == "" for row in rows)
    assert code == 0 and f"30 photos, {unsure} not sure, 0 files skipped, 1 partitions in " in told
    assert (entry["not_sure"], entry["photos"], entry["skipped"]) == (unsure, 30, 0)
    assert manifest["not_sure"] == 0.3 and manifest["not_sure_rule"] == conformal.describe_rule()
    code, _, told = command(many, "--model", run_dir, "--not-sure", 0.4, "--out", out)
    assert code == 2 and "(not_sure differ)" in told


def test_faces_without_a_label_have_a_box_of_their_own():
    image = draw_photo(0, size_px=200)
    face, sure = Face(60, 60, 80, 80, 1.0), classifier.Answer("b", 0.875)
    unsure = classifier.Answer("b", 0.875, sure=False)
    judged = predict_faces.JudgedPicture(
        predict_faces.Picture("p.png", image, image.size), (predict_faces.JudgedFace(face, image, unsure),)
    )
    (row,) = judged.rows()
    assert (row["label"], row["probability"], row["note"]) == (None, 0.875, "not sure, likeliest b")
    assert draw_faces.describe(unsure) == "not sure 88%" and draw_faces.describe(sure) == "b 88%"
    drawn = [
        draw_faces.draw(image, [predict_faces.JudgedFace(face, image, answer)], ("a", "b"), [""]).tobytes()
        for answer in (sure, unsure)
    ]
    assert drawn[0] != drawn[1]


def test_the_model_without_the_option_always_answers(run_dir):
    one = classifier.from_run(run_dir, "cpu")
    answers = one.answer([one.prepare(draw_photo(seed)) for seed in range(5)])
    assert all(answer.sure for answer in answers) and one.answer([]) == []
    assert isinstance(model.Transform(), type(one.prepare))
