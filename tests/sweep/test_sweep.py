import csv

import pytest
import yaml
from conftest import TOLERANCE, kill_a_busy_worker

from maskkit import features, runs
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.core.parallel import torch_threads
from maskkit.sweep import extraction, sweep, through_notebooks

UNCUT = {"ARCH": "shufflenet_v2_x0_5", "TAIL_EPOCHS": [0, 1]}  # no stages to unfreeze are known: the second breaks


def read_runs(out):
    with open(out / "runs.csv", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def written_at(out):
    """{key: when its result.json or broken.json was written}."""
    files = [*out.glob("recipes/*/result.json"), *out.glob("recipes/*/broken.json")]
    return {path.parent.name: path.stat().st_mtime_ns for path in files}


def test_every_recipe_has_its_numbers_and_finished_ones_are_skipped(tiny, tmp_path, run_sweep):
    computed, lines = run_sweep(tiny)
    rows, times = read_runs(tmp_path / "out"), written_at(tmp_path / "out")
    assert computed.counts == {"done": 4, "broken": 0, "open": 0}
    assert lines[0] == "4 recipes: 0 done, 0 broken, 4 to compute"
    assert {(row["SEED"], row["EPOCHS"], row["last_epoch"], row["n_val"]) for row in rows.values()} == {
        (str(seed), str(epochs), str(epochs), "4") for seed in (0, 1) for epochs in (1, 2)
    }
    assert (tmp_path / "out" / "sweep.html").is_file()
    run_sweep(tiny | {"EPOCHS": [2, 1, 3]})
    again = read_runs(tmp_path / "out")
    assert len(again) == 6 and all(again[key] == row for key, row in rows.items())
    assert written_at(tmp_path / "out").items() > times.items()


def test_unfrozen_stages_are_swept_too(tiny, run_sweep):
    computed, _ = run_sweep(tiny | {"EPOCHS": 1, "SEED": 0, "TAIL_EPOCHS": [0, 1], "TAIL_SHARE": [0.5, 1.0]})
    epochs = {row["TAIL_EPOCHS"]: row["last_epoch"] for row in computed.rows.values()}
    assert computed.counts["done"] == 4 and epochs == {0: 1, 1: 2}
    losses = {(row["TAIL_EPOCHS"], row["TAIL_SHARE"]): row["val_loss"] for row in computed.rows.values()}
    assert losses[0, 0.5] == losses[0, 1.0] and losses[1, 0.5] != losses[1, 1.0]


def test_a_broken_recipe_is_named_and_tried_again_only_by_name(tiny, tmp_path, run_sweep):
    given, out = tiny | UNCUT | {"SEED": 0, "EPOCHS": [1, 2]}, tmp_path / "out"
    computed, lines = run_sweep(given)
    assert computed.counts == {"done": 2, "broken": 2, "open": 0}
    errors = " ".join(row["error"] for row in read_runs(out).values())
    assert errors.count("shufflenet_v2_x0_5") == 2
    key = computed.of("broken")[0]
    assert any(line.startswith(f"broken: {key}") for line in lines)
    assert key in (out / "sweep.html").read_text()
    times = written_at(out)
    run_sweep(given)
    assert written_at(out) == times
    run_sweep(given, retry=[key[:6]])
    assert {key for key, _ in written_at(out).items() ^ times.items()} == {key}
    with pytest.raises(ValueError, match="--retry zzz: no broken recipe"):
        run_sweep(given, retry=["zzz"])


def test_photos_and_weights_that_are_not_there_break_their_recipes_only(tiny, tmp_path, run_sweep):
    computed, _ = run_sweep(tiny | {"DATA": [tiny["DATA"], str(tmp_path / "nowhere")], "EPOCHS": 1})
    assert computed.counts == {"done": 2, "broken": 2, "open": 0}
    assert all("there is no folder" in computed.rows[key]["error"] for key in computed.of("broken"))


def test_photos_that_cannot_be_drawn_break_their_recipes_only(tiny, run_sweep):
    computed, _ = run_sweep(tiny | {"SPLIT": ["grouped", "given"], "EPOCHS": 1})
    assert computed.counts == {"done": 2, "broken": 2, "open": 0}
    assert {computed.rows[key]["SPLIT"] for key in computed.of("broken")} == {"given"}


def test_what_auto_came_to_is_printed_and_recorded(tiny, tmp_path, run_sweep):
    _, lines = run_sweep(tiny | {"ARCH": "auto", "SEED": 0, "EPOCHS": 1})
    assert "ARCH=auto WEIGHTS=none: resnet18, none" in lines
    assert disk.read_json(tmp_path / "out" / "sweep.json")["auto"] == {"ARCH=auto WEIGHTS=none": "resnet18, none"}


def test_the_best_goes_through_the_notebooks_once(tiny, tmp_path, run_sweep, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    made = []

    def reproduce(recipe_file, texts, **_):
        made.append((recipe_file, texts))
        run_dir = runs.folder(texts["RUN"])
        runs.record(run_dir, last={"correct": 0})
        return run_dir

    monkeypatch.setattr(through_notebooks.reproduce, "reproduce", reproduce)
    given = tiny | {"SEED": 0}
    for _ in range(2):
        computed, _ = run_sweep(given, best=True)
    ((recipe_file, texts),) = made
    with open(recipe_file) as file:
        assert texts == {"RUN": "tiny-best"} and yaml.safe_load(file)["WEIGHTS"] == "none"
    run_sweep(given, best=True, notebooks=True)
    assert [texts["RUN"] for _, texts in made[1:]] == [f"tiny-{key}" for key in computed.rows]


def test_notebooks_that_fail_are_a_failure_and_all_else_is_there(tiny, tmp_path, run_sweep, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")

    def fail(*_, **__):
        raise ValueError("02_train.ipynb stopped")

    monkeypatch.setattr(through_notebooks.reproduce, "reproduce", fail)
    with pytest.raises(OSError, match="1 of 1 runs through the notebooks failed, the first tiny-best: .*02_train"):
        run_sweep(tiny | {"EPOCHS": 1, "SEED": 0}, best=True)
    assert (tmp_path / "out" / "sweep.html").is_file() and len(read_runs(tmp_path / "out")) == 1


def test_the_command_line(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(through_notebooks, "run_recipes", lambda *_: [])
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(tiny | UNCUT | {"EPOCHS": 1, "SEED": 0}))
    assert main.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert "sweep.html" in printed.out and "predict YOUR_PHOTOS --model tiny-best" in printed.out
    assert "1 of 2 recipes broke; --retry " in printed.err
    assert main.main(["sweep", str(tmp_path / "none.yaml")]) == 2


@pytest.mark.slow
def test_a_sweep_survives_its_workers_and_agrees_with_one_process(process_client, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "CHUNK", 4)
    given = tiny | {"EPOCHS": [100, 101], "SEED": [0, 1, 2], "LEARNING_RATE": [0.001, 0.01]}
    killed = []

    def record_and_kill_one(recorder, *outcome):
        record(recorder, *outcome)
        if recorder.sweep.counts["done"] >= 1 and not killed:
            killed.append(kill_a_busy_worker(process_client))

    record = sweep.Recorder.record
    monkeypatch.setattr(sweep.Recorder, "record", record_and_kill_one)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "many")
    many = sweep.run(given, tmp_path / "many-out", client=process_client, best=False)
    monkeypatch.setattr(sweep.Recorder, "record", record)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "one")
    with torch_threads(1):
        one = sweep.run(given, tmp_path / "one-out", best=False)
    assert killed and many.counts == {"done": 12, "broken": 0, "open": 0}

    assert many.rows.keys() == one.rows.keys()
    for key, row in many.rows.items():  # workers may have another number of threads: counts move by a photo at most
        expected = one.rows[key]
        for name in ("best_correct", "last_correct"):
            assert abs(row[name] - expected[name]) <= 1, (key, name)
        for name in ("train_loss", "val_loss"):
            assert row[name] == pytest.approx(expected[name], abs=TOLERANCE), (key, name)
    workers = {disk.read_json(path)["run"]["worker"] for path in (tmp_path / "many-out").glob("recipes/*/result.json")}
    assert len(workers) >= 2
    for folder in (tmp_path / "many").iterdir():  # each photo once, although recipes share them and start together
        names = [digest for path in folder.glob("*.safetensors") for digest in read_digests(path)]
        assert len(names) == len(set(names)) == len(features.read_shards(tmp_path / "one" / folder.name, 512))


def read_digests(path):
    import safetensors.numpy

    return [bytes(digest) for digest in safetensors.numpy.load_file(path)["sha256"]]
