import csv
import dataclasses

import pytest
from conftest import TOLERANCE

from maskkit import model, pretrained, runs
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.sweep import extraction, live, page, ranking, sweep

TINY = {
    "RUN": "tiny", "ARCH": "resnet18", "WEIGHTS": "none", "SIZE_PX": 32, "PER_CLASS": 10, "EPOCHS": [2, 1],
    "SEED": [0, 1],
}  # fmt: skip


UNCUT = {"ARCH": "shufflenet_v2_x0_5", "TAIL_EPOCHS": [0, 1]}  # no stages to unfreeze are known: the second breaks


@pytest.fixture
def tiny(photo_folder, tmp_path, monkeypatch):
    """A sweep of four recipes over 15 + 15 small photos, and a cache of its own; the notebooks are left out."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(sweep, "through_notebooks", lambda *arguments: None)
    return TINY | {"DATA": str(photo_folder)}


def go(given, out, **options):
    told = []
    return sweep.run(given, out, say=told.append, **options), told


def table(out):
    with open(out / "runs.csv", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


# --- the file -----------------------------------------------------------------------------------


def test_lists_span_a_grid_and_what_is_not_given_has_the_notebooks_default(tmp_path):
    (tmp_path / "mine.yaml").write_text("SEED: [0, 1, 1]\nLEARNING_RATE: [1, 0.1]\nEPOCHS: 3\n")
    name, recipes = sweep.read(tmp_path / "mine.yaml")
    found = {(recipe["SEED"], recipe["LEARNING_RATE"], recipe["EPOCHS"], recipe["KEEP"]) for recipe in recipes.values()}
    assert name == "mine" and found == {(s, rate, 3, "best") for s in (0, 1) for rate in (1.0, 0.1)}
    assert all("RUN" not in recipe for recipe in recipes.values())


def test_a_recipe_is_named_by_its_parameters_however_they_were_given():
    listed = sweep.read({"runs": [{"EPOCHS": 10, "SEED": 3}, {"SEED": 4}]})[1]
    spanned = sweep.read({"SEED": [4, 3]})[1]
    assert set(listed) == set(spanned)  # EPOCHS 10 is the default
    assert set(sweep.read({"SEED": 3, "EPOCHS": 11})[1]).isdisjoint(listed)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"EPOCS": [1]}, ValueError, "declare no parameter 'EPOCS'"),
        ({"LANGUAGE": "xx"}, ValueError, "LANGUAGE"),
        ({"EPOCHS": ["many"]}, TypeError, "EPOCHS of 02_train.ipynb must be int"),
        ({"EPOCHS": []}, ValueError, "EPOCHS is an empty list, so the grid is empty"),
        ({"version": 2}, ValueError, "of version 2; this maskkit reads 1: update maskkit"),
        ({"version": "1"}, ValueError, "of version '1'"),
        ({"RUN": ["a", "b"]}, ValueError, "RUN names the sweep"),
        ({"RUN": "../up"}, ValueError, "RUN must be a plain folder name"),
        ({"runs": []}, ValueError, "runs: must list at least one"),
        ({"runs": [{"SEED": [1]}]}, ValueError, "entry 1 must be flat"),
        ({"runs": [{"RUN": "a"}]}, ValueError, "entry 1 has RUN"),
        ({"runs": [{"SEED": 1}], "EPOCHS": 3}, ValueError, "beside runs: there is EPOCHS"),
        ({"SEED": list(range(1000)), "EPOCHS": list(range(101))}, ValueError, "101,000 recipes, more than 100,000"),
    ],
)
def test_a_wrong_sweep_stops_before_anything_is_computed(given, error, message):
    with pytest.raises(error, match=message):
        sweep.read(given)


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("- 1", "must hold one NAME: value")])
def test_a_file_that_is_no_sweep(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        sweep.read(tmp_path / "x.yaml")
    with pytest.raises(FileNotFoundError, match="there is no sweep file"):
        sweep.read(tmp_path / "y.yaml")


def test_the_committed_sweep_reads():
    name, recipes = sweep.read(paths.NOTEBOOKS / "sweep.yaml")
    assert name == "demo-sweep" and len(recipes) == 30


# --- the run ------------------------------------------------------------------------------------


def test_every_recipe_has_its_numbers_and_finished_ones_are_skipped(tiny, tmp_path, monkeypatch):
    found, told = go(tiny, tmp_path / "out")
    rows = table(tmp_path / "out")
    assert found.counts == {"done": 4, "broken": 0, "open": 0}
    assert told[0] == "4 recipes: 0 done, 0 broken, 4 to compute"
    assert {(row["SEED"], row["EPOCHS"], row["last_epoch"], row["n_val"]) for row in rows.values()} == {
        (str(seed), str(epochs), str(epochs), "4") for seed in (0, 1) for epochs in (1, 2)
    }
    assert (tmp_path / "out" / "sweep.html").is_file()
    computed, fit = [], sweep.fit
    monkeypatch.setattr(sweep, "fit", lambda *job: (computed.append(job[0]["EPOCHS"]), fit(*job))[1])
    go(tiny | {"EPOCHS": [2, 1, 3]}, tmp_path / "out")
    assert computed == [3, 3] and len(table(tmp_path / "out")) == 6
    again = table(tmp_path / "out")
    assert all(again[key] == row for key, row in rows.items())


@pytest.mark.numeric
def test_a_recipe_gives_the_numbers_of_02_train(tiny, tmp_path):
    """The notebook's own steps, spelled out as it does."""
    from maskkit import data, features, split, train
    from maskkit.sources import folders

    given = tiny | {"EPOCHS": 3, "SEED": 1, "AUGMENT": "report", "VIEWS": 2}
    found, _ = go(given, tmp_path / "out")
    (key,) = found.rows
    (tmp_path / "run").mkdir()
    split.curate(folders.find(tiny["DATA"]), tmp_path / "run", per_class=10, split="grouped", seed=1)
    parts, transform = data.read_split(tmp_path / "run"), model.Transform(32)
    classes = data.classes(parts[0])
    network = model.build(pretrained.find("resnet18", "none"), 2, seed=1)
    photos, val = (data.MaskDataset(rows, tmp_path / "run", classes, transform) for rows in parts)
    from maskkit import augment

    views = augment.views(photos, "report", 2, 1)
    X, n_computed = features.extract_each(
        network, "resnet18", [*views, val], cache=paths.CACHE, device=model.device("auto")
    )
    own = train.fit_head(
        network,
        "resnet18",
        [(view, photos.label_tensor()) for view in X[:-1]],
        (X[-1], val.label_tensor()),
        epochs=3,
        batch_size=16,
        learning_rate=0.001,
        seed=1,
    )
    result = disk.read_json(tmp_path / "out" / "recipes" / key / "result.json")
    assert n_computed == 0 and result["val_loss"] == pytest.approx(own.history[-1]["val_loss"], abs=TOLERANCE)
    for name in ("best", "last"):
        assert abs(result[name]["correct"] - getattr(own, name)["correct"]) <= 1
    assert result["right"].count("1") == own.last["correct"] and len(result["right"]) == len(val)


def test_unfrozen_stages_are_swept_too(tiny, tmp_path):
    grid = {"EPOCHS": 1, "SEED": 0, "TAIL_EPOCHS": [0, 1], "TAIL_SHARE": [0.5, 1.0]}
    found, _ = go(tiny | grid, tmp_path / "out")
    epochs = {row["TAIL_EPOCHS"]: row["last_epoch"] for row in found.rows.values()}
    assert found.counts["done"] == 4 and epochs == {0: 1, 1: 2}
    losses = {(row["TAIL_EPOCHS"], row["TAIL_SHARE"]): row["val_loss"] for row in found.rows.values()}
    assert losses[0, 0.5] == losses[0, 1.0] and losses[1, 0.5] != losses[1, 1.0]


def test_a_broken_recipe_is_named_and_tried_again_only_by_name(tiny, tmp_path, monkeypatch):
    given = tiny | UNCUT | {"SEED": 0, "EPOCHS": [1, 2]}
    found, told = go(given, tmp_path / "out")
    assert found.counts == {"done": 2, "broken": 2, "open": 0}
    errors = " ".join(row["error"] for row in table(tmp_path / "out").values())
    assert errors.count("shufflenet_v2_x0_5") == 2
    key = found.of("broken")[0]
    assert any(line.startswith(f"broken: {key}") for line in told)
    assert key in (tmp_path / "out" / "sweep.html").read_text()
    computed, fit = [], sweep.fit
    monkeypatch.setattr(sweep, "fit", lambda *job: (computed.append(sweep.key_of(job[0])), fit(*job))[1])
    go(given, tmp_path / "out")
    assert computed == []
    go(given, tmp_path / "out", retry=[key[:6]])
    assert computed == [key]
    with pytest.raises(ValueError, match="--retry zzz: no broken recipe"):
        go(given, tmp_path / "out", retry=["zzz"])


def test_photos_and_weights_that_are_not_there_break_their_recipes_only(tiny, tmp_path):
    found, _ = go(tiny | {"DATA": [tiny["DATA"], str(tmp_path / "nowhere")], "EPOCHS": 1}, tmp_path / "out")
    assert found.counts == {"done": 2, "broken": 2, "open": 0}
    assert all("there is no folder" in found.rows[key]["error"] for key in found.of("broken"))


def test_a_folder_of_something_else_is_refused(tiny, tmp_path):
    go(tiny | {"SEED": 0, "EPOCHS": 1}, tmp_path / "out")
    with pytest.raises(ValueError, match="holds the sweep 'tiny' of version 1, not 'other'"):
        go(tiny | {"RUN": "other"}, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ValueError, match="holds something else than a sweep"):
        go(tiny, tmp_path / "full")


def test_auto_that_came_to_something_else_is_refused(tmp_path):
    folder = sweep.Folder(tmp_path / "out", "x")
    folder.agree("DATA=auto", "Kaggle 12K")
    with pytest.raises(ValueError, match="DATA=auto came to Kaggle 12K when .* was begun and comes to demo now"):
        sweep.Folder(tmp_path / "out", "x").agree("DATA=auto", "demo")


def test_the_best_goes_through_the_notebooks_once(tiny, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    made = []

    def reproduce(recipe_file, texts, print_line):
        made.append((recipe_file, texts))
        run_dir = runs.folder(texts["RUN"])
        runs.record(run_dir, last={"correct": 0})
        return run_dir

    monkeypatch.setattr(sweep.reproduce, "reproduce", reproduce)
    given = tiny | {"SEED": 0}
    for _ in range(2):
        found, told = go(given, tmp_path / "out")
    ((recipe_file, texts),) = made
    assert texts == {"RUN": "tiny-best"} and sweep.notebook_parameters.read_file(recipe_file)["WEIGHTS"] == "none"
    go(given, tmp_path / "out", notebooks=True)
    assert [texts["RUN"] for _, texts in made[1:]] == [f"tiny-{key}" for key in found.rows]


def test_notebooks_that_fail_are_a_failure_and_all_else_is_there(tiny, tmp_path, monkeypatch):
    monkeypatch.undo()  # the notebooks are not left out
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")

    def broken(*_, **__):
        raise ValueError("02_train.ipynb stopped")

    monkeypatch.setattr(sweep.reproduce, "reproduce", broken)
    given = tiny | {"EPOCHS": 1, "SEED": 0}
    with pytest.raises(OSError, match="1 of 1 runs through the notebooks failed, the first tiny-best: .*02_train"):
        go(given, tmp_path / "out")
    assert (tmp_path / "out" / "sweep.html").is_file() and len(table(tmp_path / "out")) == 1


def test_the_command_line(tiny, tmp_path, capsys):
    import yaml

    (tmp_path / "s.yaml").write_text(yaml.safe_dump(tiny | UNCUT | {"EPOCHS": 1, "SEED": 0}))
    assert main.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "sweep.html" in said.out and "predict YOUR_PHOTOS --model tiny-best" in said.out
    assert "1 of 2 recipes broke; --retry " in said.err
    assert main.main(["sweep", str(tmp_path / "none.yaml")]) == 2


# --- what came of it ----------------------------------------------------------------------------


def setting(right, **differs):
    """A setting whose answers to 50 photos are given by their number of right ones."""
    answers = {("draw", photo): (int(photo < right), str(photo)) for photo in range(50)}
    return ranking.Setting(differs, ["0" * 12], [0], answers)


def test_best_within_noise_is_marked_and_not_just_the_top():
    found = ranking.compared([setting(20, RATE=1), setting(47, RATE=2), setting(48, RATE=3)])
    assert [one.differs["RATE"] for one in found] == [3, 2, 1]
    assert [one.noise for one in found] == [True, True, False] and found[0].gap is None
    assert found[2].gap[0] == pytest.approx(-28 / 50) and found[2].gap[1][1] < 0


def test_settings_are_ranked_among_equal_photos_and_over_seeds(tiny, tmp_path):
    found, _ = go(tiny | {"PER_CLASS": [10, 12]}, tmp_path / "out")
    exams = ranking.rank(found)
    assert [len(exam.settings) for exam in exams] == [2, 2]
    for exam in exams:
        for one in exam.settings:
            rows = [found.rows[key] for key in one.keys]
            assert one.seeds == [0, 1] and one.score["correct"] == sum(row["last_correct"] for row in rows)
            assert one.score["n"] == sum(row["n_val"] for row in rows)


def test_the_page_and_the_live_table_say_what_is_there(tiny, tmp_path):
    tables = []
    found, _ = go(tiny, tmp_path / "out", watch=lambda one: tables.append(live.html(one)))
    assert "0 of 4 recipes done" in tables[0] and "4 of 4 recipes done, 0 broken" in tables[-1]
    exam = ranking.Exam("photos <x>", ranking.compared([setting(20, RATE="<b>"), setting(48, RATE="c")]))
    written = page.write(found, [exam], ["tiny-best"]).read_text()
    assert (
        "<b>" not in written and "photos &lt;x&gt;" in written and "behind" in written and "runs/tiny-best" in written
    )


def test_a_watcher_is_for_notebooks_only():
    assert live.watcher() is None


def test_two_draws_of_one_key_are_of_equal_photos():
    one = sweep.Draw("a", ({"file": "x"},))
    assert one == dataclasses.replace(one, rows=()) and one != dataclasses.replace(one, key="b")
    assert extraction.Backbone("resnet18", "none") == extraction.Backbone("resnet18", "none", 0)
