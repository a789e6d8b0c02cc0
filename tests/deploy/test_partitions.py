import csv
import io
import json
import os

import pytest
from conftest import draw_photo, fill, kill_a_busy_worker, same_answers

from maskkit.cli import main
from maskkit.core.parallel import torch_threads
from maskkit.deploy import addresses, partitions, photo_files, predict


@pytest.fixture
def many(tmp_path):
    """25 files, three of them no photos, some with odd names."""
    fill(tmp_path / "many", ("a",), 22)
    folder = tmp_path / "many" / "a"
    (folder / "text.jpg").write_text("no photo")
    (folder / "empty.png").touch()
    (folder / "=1+1,\n😷.png").write_bytes(b"no photo")
    return folder


def list_photos(folder):
    files, _ = photo_files.find_files([str(folder)], None)
    return files


def predict_in_one_process(folder, run, target):
    """The rows of `maskkit predict --csv`."""
    assert main.main(["predict", str(folder), "--model", str(run), "--csv", str(target)]) == 0
    return read_csv(target.read_bytes())


def read_csv(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))


def read_partitions(out):
    """The rows of all partitions that the manifest names, and the manifest."""
    manifest = json.loads(addresses.read(addresses.join(out, "manifest.json")))
    contents = (addresses.read(addresses.join(out, entry["file"])) for entry in manifest["partitions"])
    return [row for content in contents for row in read_csv(content)], manifest


@pytest.mark.numeric
def test_partitions_together_answer_as_one_process(many, trained, tmp_path):
    out = tmp_path / "out"
    returned = partitions.predict_partitions(None, trained, list_photos(many), out, size=8)
    rows, manifest = read_partitions(out)
    assert same_answers(rows, predict_in_one_process(many, trained, tmp_path / "one.csv")) and returned == manifest
    assert manifest["complete"] and [entry["files"] for entry in manifest["partitions"]] == [8, 8, 8, 1]
    assert sum(entry["photos"] for entry in manifest["partitions"]) == 22
    assert sum(entry["skipped"] for entry in manifest["partitions"]) == 3


def test_a_prediction_goes_on_where_it_stopped(many, trained, tmp_path):
    files, out = list_photos(many), tmp_path / "out"
    blocked = out / "part-0000002.csv"

    def block(entry):
        blocked.mkdir(exist_ok=True)  # no file can be renamed to it

    with pytest.raises(OSError, match="1 of 4 partitions failed, the first part-0000002.csv: IsADirectoryError"):
        partitions.predict_partitions(None, trained, files, out, size=8, progress=block)
    assert not read_partitions(out)[1]["complete"]
    blocked.rmdir()
    times = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    entries = []
    partitions.predict_partitions(None, trained, files, out, size=8, progress=entries.append)
    assert len(times) == 3 and all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert entries[-1]["file"] == blocked.name and len(entries) == 4 and read_partitions(out)[1]["complete"]


def test_a_folder_of_something_else_is_refused(many, trained, tmp_path):
    files = list_photos(many)
    partitions.predict_partitions(None, trained, files, tmp_path / "out", size=8)
    with pytest.raises(ValueError, match=r"holds another prediction \(files, files_sha256 differ\)"):
        partitions.predict_partitions(None, trained, files[1:], tmp_path / "out", size=8)
    with pytest.raises(ValueError, match="holds something else than a prediction"):
        partitions.predict_partitions(None, trained, files, many)
    with pytest.raises(ValueError, match="a prediction is csv or parquet, with 1 file or more a part; got csv, 0"):
        partitions.predict_partitions(None, trained, files, tmp_path / "new", size=0)


class Blind:
    """As a client, as far as `check_visible` asks: one worker sees what is here, one sees nothing."""

    def run(self, function, file):
        return {"tcp://sees": function(file), "tcp://blind": False}


def test_a_worker_that_does_not_see_the_photos_is_named_before_it_notes_them_all_as_missing(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(FileNotFoundError, match="worker tcp://blind does not see .*a.png"):
        partitions.check_visible(Blind(), [str(tmp_path / "gone.png"), str(tmp_path / "a.png")])
    partitions.check_visible(Blind(), [str(tmp_path / "gone.png")])  # missing here too: a note in the table
    partitions.check_visible(None, [str(tmp_path / "a.png")])


def test_a_prediction_cut_off_lists_the_tables_that_are_done(many, trained, tmp_path):
    ended = []

    def stop(entry):
        ended.append(entry)
        if len(ended) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        partitions.predict_partitions(None, trained, list_photos(many), tmp_path / "out", size=8, progress=stop)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["partitions"] == ended and not manifest["complete"]


@pytest.mark.numeric
def test_parquet_holds_the_same_rows(many, trained, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "out"
    arguments = ["predict", str(many), "--model", str(trained), "--out", str(out), "--format", "parquet"]
    assert main.main(arguments) == 0
    (entry,) = json.loads((out / "manifest.json").read_text())["partitions"]
    rows = parquet.read_table(out / entry["file"]).to_pylist()
    assert [row["file"] for row in rows] == list_photos(many)
    assert same_answers(rows, predict_in_one_process(many, trained, tmp_path / "one.csv"))
    odd = {"file": "\udcff", "label": None, "probability": None, "note": "x"}
    assert b"\\udcff" in partitions.format_parquet([odd], predict.COLUMNS)


def test_what_partitions_need_is_said(capsys, tmp_path):
    for extra in (["--onnx", "x"], ["--model", "x"], ["--model", "x", "--out", "y", "--csv", "z"]):
        assert main.main(["predict", str(tmp_path), "--workers", "1", *extra]) == 2
        assert "they need --model RUN and --out DIR" in capsys.readouterr().err


@pytest.mark.slow
def test_a_prediction_survives_its_workers_photo_by_photo(process_client, trained, tmp_path):
    names = [tmp_path / f"{seed}.png" for seed in range(40)]
    for seed, name in enumerate(names):
        draw_photo(seed, size_px=60).save(name)
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(400):
        os.link(names[index % 40], folder / f"{index:04d}.png")
    (folder / "broken.png").write_text("no photo")
    killed, out = [], tmp_path / "out"

    def kill_one(entry):
        if not killed:
            killed.append(kill_a_busy_worker(process_client))

    partitions.predict_partitions(process_client, trained, list_photos(folder), out, size=32, progress=kill_one)
    with torch_threads(1):
        expected = predict_in_one_process(folder, trained, tmp_path / "one.csv")
    rows, manifest = read_partitions(out)
    assert killed and manifest["complete"] and same_answers(rows, expected)
    tables = sorted(path.name for path in out.iterdir() if path.name.startswith("part-"))
    assert tables == [entry["file"] for entry in manifest["partitions"]] and len(tables) == 13
