import csv
import io
import json
import os
import shutil
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from conftest import draw_photo

from maskkit import checkpoint
from maskkit.cli import main
from maskkit.core import paths
from maskkit.deploy import classifier, predict
from tests.deploy.conftest import NASTY

NEXT = "next: the same with --html PAGE.html shows the photos beside the answers\n"


@pytest.mark.numeric
def test_three_good_and_three_bad_files(command, photos, trained):
    code, rows, told = command(photos, "--model", trained)
    assert code == 0 and told.endswith("3 photos, 3 files skipped\n" + NEXT)
    found = {row["file"]: row for row in rows}
    assert set(found) == {str(path) for path in photos.rglob("*") if path.is_file() and path.name != ".DS_Store"}
    network, description = checkpoint.load(trained)
    good = found[f"{photos}/a b.png"]
    with torch.inference_mode():
        own = network(description["transform"](draw_photo(0, size_px=40))[None]).softmax(1)[0]
    assert float(good["probability"]) == pytest.approx(float(own.max()), abs=1e-4)
    assert good["label"] == description["classes"][int(own.argmax())] and good["note"] == ""
    notes = {os.path.basename(name): row["note"] for name, row in found.items() if not row["label"]}
    assert set(notes) == {"text.jpg", "empty.png", "cut.png"} and all(notes.values())
    assert all(found[f"{photos}/{name}"]["probability"] == "" for name in notes)


def test_names_stay_as_given_and_rows_in_order(command, photos, trained, monkeypatch):
    monkeypatch.chdir(photos.parent)
    code, rows, _ = command("my photos/text.jpg", "./my photos", "--model", trained)
    assert code == 0 and [row["file"] for row in rows[:3]] == [
        "my photos/text.jpg",
        f"./my photos/{NASTY}".replace("</", "<∕"),
        "./my photos/a b.png",
    ]


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_a_list_from_standard_input(command, photos, trained, separator):
    listed = separator.join(os.fsencode(photos / name) for name in ("a b.png", "gone.png", "sub 😷")) + separator
    code, rows, told = command("-", "--model", trained, stdin=listed)
    assert code == 0 and [os.path.basename(row["file"]) for row in rows] == ["a b.png", "gone.png", "שלום.jpg"]
    assert rows[1]["note"] == "No such file or directory" and told.endswith("2 photos, 1 file skipped\n" + NEXT)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_list_as_windows_writes_it_is_read_by_its_mark(command, photos, trained, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    listed = (mark + "\r\n".join(str(photos / name) for name in ("a b.png", "sub 😷")) + "\r\n").encode(encoding)
    code, rows, _ = command("-", "--model", trained, stdin=listed)
    assert code == 0 and [os.path.basename(row["file"]) for row in rows] == ["a b.png", "שלום.jpg"]


def test_a_name_that_begins_with_a_dash_gets_a_hint(capsys, photos, trained, monkeypatch):
    monkeypatch.chdir(photos)
    (photos / "-x.jpg").write_bytes((photos / "a b.png").read_bytes())
    with pytest.raises(SystemExit) as ended:
        main.main(["predict", "-x.jpg", "--model", str(trained)])
    assert ended.value.code == 2 and "./-x.jpg" in capsys.readouterr().err
    assert main.main(["predict", "./-x.jpg", "--model", str(trained)]) == 0


def test_an_argument_that_is_not_there_stops_before_any_work(command, photos, monkeypatch):
    monkeypatch.setattr(classifier, "from_run", lambda *_: pytest.fail("a model was loaded"))
    code, rows, told = command(photos, "nowhere", "--model", "any")
    assert code == 2 and not rows and told == "maskkit: there is no file or folder nowhere\n"


def test_an_empty_folder_says_so_and_gives_an_empty_table(command, tmp_path, trained):
    (tmp_path / "inbox").mkdir()
    code, rows, told = command(tmp_path / "inbox", "--model", trained, "--csv", tmp_path / "out.csv")
    assert code == 0 and "inbox holds no file" in told and told.endswith("0 photos, 0 files skipped\n")
    assert (tmp_path / "out.csv").read_text() == "file,label,probability,note\n"


def test_what_would_never_end_is_passed_over(command, tmp_path, trained):
    folder = tmp_path / "odd"
    folder.mkdir()
    draw_photo(0).save(folder / "good.png")
    os.mkfifo(folder / "fifo.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "again").symlink_to(folder)
    (folder / "itself").symlink_to("itself")
    code, rows, told = command(folder, "--model", trained)
    assert code == 0 and [os.path.basename(row["file"]) for row in rows if row["label"]] == ["good.png"]
    assert told.endswith("1 photo, 3 files skipped\n" + NEXT)


def test_a_spreadsheet_runs_no_name_and_a_reader_gets_every_name_back():
    names = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain", 'q"uo,te', "new\nline", "re\rturn", "\udcff"]
    file = io.StringIO(newline="")
    rows = [{"file": name, "label": None, "probability": None, "note": "=x"} for name in names]
    assert list(predict.write_csv(rows, file)) == rows
    read = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert [row["file"] for row in read] == [f"'{name}" for name in names[:6]] + names[6:]
    assert {row["note"] for row in read} == {"'=x"}


def test_bytes_that_are_not_utf8_survive(command, tmp_path, trained):
    name = os.fsencode(tmp_path) + b"/\xff\x1b[31m.png"
    with open(name, "wb") as file:
        file.write(b"no photo")
    target = tmp_path / "out.csv"
    code, _, told = command("-", "--model", trained, "--csv", target, "--html", tmp_path / "o.html", stdin=name)
    assert code == 0 and name in target.read_bytes() and "\x1b" not in told
    (tmp_path / "o.html").read_text(encoding="utf-8")


def test_the_table_appears_whole_or_not_at_all(command, photos, trained, tmp_path, monkeypatch):
    target = tmp_path / "out.csv"
    target.write_text("earlier")
    monkeypatch.setattr(predict, "cells", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    code, _, told = command(photos, "--model", trained, "--csv", target)
    assert code == 1 and "disk full" in told and target.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_the_run_is_found_by_name_and_by_folder(command, photos, trained, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    shutil.copytree(trained, tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "runs/mine", str(trained)):
        assert command(photos / "a b.png", "--model", name)[0] == 0
    code, _, told = command(photos, "--model", "yours")
    assert code == 2 and told == "maskkit: there is no run yours; `maskkit reproduce` makes one\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.json", None, "model.json is missing"),
        ("model.safetensors", None, "model.safetensors is missing"),
        ("model.json", b"{", "does not describe a model of maskkit"),
        ("model.json", b"\xff\xfe\xfa", "does not describe a model of maskkit"),
        ("model.json", b'{"model_type": "bert"}', "does not describe a model of maskkit"),
        ("model.safetensors", b"PK\x03\x04", "model.safetensors"),
        ("model.safetensors", safetensors.torch.save({"w": torch.zeros(2)}), "does not fit resnet18 with 2 classes"),
    ],
)
def test_a_model_of_another_project_is_one_clear_message(command, photos, trained, tmp_path, name, content, message):
    run_dir = tmp_path / "foreign"
    shutil.copytree(trained, run_dir)
    (run_dir / name).unlink() if content is None else (run_dir / name).write_bytes(content)
    code, rows, told = command(photos, "--model", run_dir)
    assert code == 2 and not rows and message in told and told.count("\n") == 1


def test_a_file_is_no_run(command, photos, tmp_path):
    torch.save({"w": torch.zeros(1)}, tmp_path / "their.pth")
    code, _, told = command(photos, "--model", tmp_path / "their.pth")
    assert code == 2 and "is a file; give a run's name, or the folder with model.json" in told


def test_a_closed_pipe_is_no_error(photos, trained):
    call = [sys.executable, "-m", "maskkit", "predict", *([str(photos)] * 1500), "--model", str(trained)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"file,label,probability,note\n"
    process.stdout.close()
    assert b"Error" not in process.stderr.read() and process.wait() == 141


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'PIL', 'onnx', 'matplotlib'} & set(sys.modules)"
    code = f"import sys; from maskkit.cli.main import parser; parser(); print({heavy})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


# The kernel's own high-water mark: getrusage's would be that of pytest, from which this process was forked.
MEASURE = """
import sys
from maskkit.cli.main import main
code = main(sys.argv[1:])
print(code, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_memory_stays_flat(tmp_path, trained):
    described = json.loads((trained / "model.json").read_text())
    run_dir = tmp_path / "run"
    shutil.copytree(trained, run_dir)
    described["transform"]["size_px"] = 32
    (run_dir / "model.json").write_text(json.dumps(described))
    names = [tmp_path / f"{seed}.png" for seed in range(50)]
    for seed, name in enumerate(names):
        draw_photo(seed, size_px=200).save(name)
    peaks = []
    for n in (1_000, 5_000):
        folder = tmp_path / str(n)
        folder.mkdir()
        for index in range(n):
            os.link(names[index % 50], folder / f"{index}.png")
        call = [
            sys.executable,
            "-c",
            MEASURE,
            "predict",
            folder,
            "--model",
            run_dir,
            "--csv",
            tmp_path / "o.csv",
            "--html",
            tmp_path / "o.html",
        ]
        code, peak = map(int, subprocess.run(call, capture_output=True, text=True, check=True).stdout.split())
        assert code == 0 and len((tmp_path / "o.csv").read_text().splitlines()) == n + 1
        peaks.append(peak / 1024)
    assert peaks[1] < peaks[0] + 40  # MiB; 4,000 photos kept as tensors would be 49, as pixels 480
