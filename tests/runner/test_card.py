import json

import mistune
import pytest
from conftest import recorded_audit

from maskkit import evaluate, runs
from maskkit.cli import main
from maskkit.core import disk, mutes
from maskkit.runner import card

NASTY = "a|b <script>x</script> [l](http://e.org) ![i](x) `c` *d* _e_ # f\n## g"


@pytest.fixture
def run_dir(tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    classes, matrix = ["with_mask", "without_mask"], [[20, 0], [1, 19]]
    runs.record(
        run_dir,
        source="folder",
        photos=NASTY,
        source_note="",
        weights_note="",
        network="resnet18",
        weights="imagenet",
        split="grouped",
        seed=3,
        n_train=160,
        n_val=40,
        n_rejected=1,
        trainable=1026,
        total=11_177_538,
        device="cpu",
        best={"epoch": 7, **evaluate.score(39, 40)},
        last={"epoch": 10, **evaluate.score(38, 40)},
        per_class_scores=evaluate.per_class(matrix, classes),
        versions={"torch": "2.10.0"},
        run={"name": "mine"},
    )
    described = {
        "arch": "resnet18",
        "classes": classes,
        "transform": {"size_px": 224, "resize": "bilinear"},
        "weights": "w",
        "weights_sha256": "",
        "model_sha256": "abc",
        "parameters": {"epochs": 10, "learning_rate": 0.001},
    }
    disk.write_json(run_dir / "model.json", described)
    return run_dir


def test_numbers_have_intervals_and_what_is_missing_is_named(run_dir):
    said = card.write(run_dir).read_text(encoding="utf-8")
    assert "39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)" in said and "38 of 40 (95.0 %" in said
    assert "| without_mask | 20 | 100.0 % | 95.0 % (76.4-99.1 %) | 97.4 % |" in said
    assert "Not measured yet: `make trust RUN=mine`." in said and "| epochs | 10 |" in said
    for words in ("crops of single faces", "not a safety device", "--model mine", "1,026 of 11,177,538", "seed 3"):
        assert words in said
    assert "| learned from | 160 photos |" in said and "without their consent" in said


@pytest.mark.parametrize(("keep", "n"), [("best", 7), ("last", 10)])
def test_the_kept_epoch_is_named(run_dir, keep, n):
    runs.record(run_dir, keep=keep)
    said = card.write(run_dir).read_text(encoding="utf-8")
    assert f"| {keep} epoch ({n}), the weights kept |" in said and said.count("the weights kept") == 1
    assert f"| class, {keep} epoch |" in said and "among equals, the lowest validation loss" in said


def test_the_audits_results_are_in_it(run_dir):
    audit = recorded_audit()
    audit["results"]["leaks"] |= {"result": "fail", "sentence": "4 of 40 | leak"}
    disk.write_json(run_dir / "audit.json", audit)
    text = card.write(run_dir).read_text(encoding="utf-8")
    assert (
        "| MK002 | 🔴 fail | Leaks between the sets | 4 of 40 \\| leak | Run 01_prepare again" in text
        and "8 questions of the audit." in text
    )
    mutes.apply(audit, {"MK002": "known | agreed"})
    disk.write_json(run_dir / "audit.json", audit)
    text = card.write(run_dir).read_text(encoding="utf-8")
    assert "| MK002 | 🔇 muted | Leaks between the sets | 4 of 40 \\| leak | muted: known \\| agreed (without" in text
    (run_dir / "audit.json").write_text("{")
    assert "audit.json cannot be used" in card.write(run_dir).read_text(encoding="utf-8")


def test_what_users_named_stays_text(run_dir):
    described = disk.read_json(run_dir / "model.json") | {"classes": ["<b>x</b>", "# y"]}
    disk.write_json(run_dir / "model.json", described)
    said = card.write(run_dir).read_text(encoding="utf-8")
    html = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])(said)
    for tag in ("<script", "<a ", "<img", "<b>", "<em>", "<h3", "<del"):
        assert tag not in html
    assert html.count("<h1") == 1 and html.count("<h2") == 8 and html.count("<table>") == 5
    assert "a|b &lt;script&gt;" in html


def test_the_command_and_its_errors(run_dir, capsys):
    assert main.main(["card", str(run_dir)]) == 0
    read, then = capsys.readouterr().out.splitlines()
    assert "MODEL_CARD.md" in read and f"export --model {run_dir}" in then
    metrics = json.loads((run_dir / "metrics.json").read_text())
    disk.write_json(run_dir / "metrics.json", {key: metrics[key] for key in ("n_train", "run")})
    said = card.write(run_dir).read_text(encoding="utf-8")
    assert "Not measured yet" in said and "not recorded" in said
    (run_dir / "model.json").unlink()
    assert main.main(["card", str(run_dir)]) == 2 and "run 02_train.ipynb" in capsys.readouterr().err


def test_many_classes_are_counted_and_the_worst_listed(run_dir):
    n = 40
    classes = sorted(f"class {number}" for number in range(1, n + 1))
    matrix = [[row * (row == column) + (row != column == 0) for column in range(n)] for row in range(n)]
    scores = evaluate.per_class(matrix, classes)
    runs.record(run_dir, per_class_scores=scores)
    disk.write_json(run_dir / "model.json", disk.read_json(run_dir / "model.json") | {"classes": classes})
    said = card.write(run_dir).read_text(encoding="utf-8")
    assert "Tells 40 classes apart (class 1, class 2, class 3," in said and "and 28 more)" in said
    assert "The 30 classes with the lowest recall; metrics.json holds all 40." in said
    assert said.count("| class ") == 30 and runs.read_metrics(run_dir)["per_class_scores"] == scores
