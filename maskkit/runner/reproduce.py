"""Parameters checked, then the notebooks run through papermill into one run folder."""

import ast
import json
import math
import os
import sys
import time
from pathlib import Path

import yaml

from maskkit import runs
from maskkit.core import disk, parameters, paths

REPORT_NOTEBOOKS = ("01_prepare.ipynb", "02_train.ipynb", "03_evaluate.ipynb")
QUIET_KERNEL = ["--IPKernelApp.log_level=50"]  # its own chatter; a cell's errors come another way
IMPROVE_NOTEBOOK, TRUST_NOTEBOOK, EXPLORE_NOTEBOOK = "04_improve.ipynb", "05_trust.ipynb", "06_explore.ipynb"
NOTEBOOKS = (*REPORT_NOTEBOOKS, IMPROVE_NOTEBOOK, TRUST_NOTEBOOK, EXPLORE_NOTEBOOK)
WIDGET = "application/vnd.jupyter.widget-view+json"
PATH_PARAMETERS = {
    "DATA": ("auto", "kaggle", "demo", "run"),
    "WEIGHTS": ("auto", "imagenet", "packaged", "none"),
    "AGAINST": ("",),
    "GROUPS": ("",),
    "CORRECTIONS": ("auto", ""),
}


class NotebookError(Exception):
    """A cell failed: the message names the notebook, the cell and the error.

    `mistake`: the cell raised what stands for a user's mistake, such as a ValueError.
    """

    def __init__(self, message, mistake=False):
        super().__init__(message)
        self.mistake = mistake


# --- parameters ---------------------------------------------------------------------------------


def declared(notebook):
    """{name: default} of the cell tagged `parameters`; every value is a literal.

    Raises:
        ValueError: there is not exactly one such cell, or it holds something else than NAME = literal.
    """
    content = json.loads(Path(notebook).read_text(encoding="utf-8"))  # importing nbformat takes a second
    cells = [cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"{notebook} must have one cell tagged 'parameters', it has {len(cells)}")
    found = {}
    for line in ast.parse("".join(cells[0]["source"])).body:
        try:
            (target,) = line.targets
            found[target.id] = ast.literal_eval(line.value)
        except (AttributeError, ValueError) as error:
            problem = f"the parameters cell holds {ast.unparse(line)!r}, no NAME = literal"
            raise ValueError(f"{notebook}: {problem}") from error
    return found


def read_parameters(path):
    """The settings of a flat YAML file.

    Raises:
        FileNotFoundError, ValueError: it is not there, or not flat YAML.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no parameter file {path}; the report's is {paths.NOTEBOOKS / 'report.yaml'}")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(settings, dict) or any(isinstance(value, dict | list) for value in settings.values()):
        raise ValueError(f"{path} must be flat: one NAME: value per line")
    return settings


def check(settings, texts, notebooks):
    """The parameters each notebook receives, names and types checked before any kernel starts.

    Args:
        settings: {name: value} of a parameter file.
        texts: {name: text} of `--set NAME=VALUE`; read by the declared type, they win over `settings`.
        notebooks: paths of the run's notebooks.

    Returns:
        {notebook: {name: value}}; a relative path among the values means the caller's folder.

    Raises:
        ValueError: a name that no notebook declares, a text that is not of its type, or a value out of range.
        TypeError: a value of another type than the notebook's default.
    """
    return check_against({notebook: declared(notebook) for notebook in notebooks}, settings, texts)


def check_against(names, settings, texts):
    """`check` with what the notebooks declare, {notebook: {name: default}}, for who has many settings to check."""
    notebooks = list(names)
    defaults = {name: (value, notebook) for notebook in notebooks for name, value in names[notebook].items()}
    values = {}
    for name, value in (settings | texts).items():
        if name not in defaults:
            where = ", ".join(notebook.name for notebook in notebooks)
            raise ValueError(f"{where} declare no parameter {name!r}; they declare {', '.join(defaults)}")
        default, notebook = defaults[name]
        value = read_text(name, value, default) if name in texts else value
        values[name] = absolute(name, parameters.need(name, typed(name, value, default, notebook.name)))
    for notebook in notebooks:
        parameters.check({name: values.get(name, default) for name, default in names[notebook].items()})
    return {notebook: {name: values[name] for name in names[notebook] if name in values} for notebook in notebooks}


def typed(name, value, default, notebook):
    """`value`, of the type of `default`; an int is accepted for a float, and no float that is not finite."""
    if type(default) is float and type(value) is int:
        return float(value)
    if type(value) is float and not math.isfinite(value):
        raise ValueError(f"{name} of {notebook} must be finite like its default {default!r}, got {value!r}")
    if type(value) is not type(default):
        kind = type(default).__name__
        raise TypeError(f"{name} of {notebook} must be {kind} like its default {default!r}, got {value!r}")
    return value


def read_text(name, text, default):
    """The value of `--set NAME=text`: the type is the default's, so RUN=007 stays text."""
    kind = type(default)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"{name} must be {kind.__name__} like its default {default!r}, got {text!r}") from error


def absolute(name, value):
    """A path parameter made absolute: notebooks run in another folder than the caller's."""
    if name in PATH_PARAMETERS and value not in PATH_PARAMETERS[name]:
        return str(Path(value).expanduser().absolute())
    return value


# --- run ----------------------------------------------------------------------------------------


def reproduce(parameter_file, texts, notebooks=REPORT_NOTEBOOKS, say=print):
    """Run the notebooks with a parameter file and `--set` texts; returns the run's folder.

    The work is done in a folder runs/<RUN>.<8 digits>.part, which takes the place of an earlier runs/<RUN> once every
    notebook has passed; when one fails, the earlier run stays as it was and the .part folder shows how far this one
    came. A run that was killed is begun again in the same way; only a network that was being unfrozen goes on where it
    stopped.

    Raises:
        FileNotFoundError, ValueError, TypeError: a user's mistake, found before any kernel starts; one is that another
            process is writing this run.
        OSError: runs/ cannot be written; found before any kernel starts too.
        NotebookError: a cell failed.
    """
    notebooks = [paths.NOTEBOOKS / name for name in notebooks]
    missing = [str(path) for path in notebooks if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"{missing[0]} is missing; run maskkit inside its source tree (a clone)")
    parameters = check(read_parameters(parameter_file), texts, notebooks)
    settings = {name: value for path in notebooks for name, value in (declared(path) | parameters[path]).items()}
    run_dir = runs.path(settings["RUN"])
    disk.check_writable(run_dir.parent)
    if runs.is_locked(run_dir):  # asked here too: looking for photos may take minutes
        raise runs.in_use(run_dir)
    check_sources(settings, say)  # before the lock, whose file would stay behind
    with runs.locked(run_dir):
        part = runs.working_folder(run_dir)
        run_all(parameters, part, say)
        rename_run(part, notebooks, run_dir.name)
        write_card(part)
        runs.publish(part, run_dir)
    return run_dir


def run_all(parameters, part, say):
    """Execute {notebook: its parameters} in the folder `part`, in their order."""
    started = time.perf_counter()
    for notebook, values in parameters.items():
        watch = time.perf_counter()
        execute(notebook, part / notebook.name, values | {"RUN": part.name})
        say(f"{notebook.name}: passed in {time.perf_counter() - watch:.0f} s")
    runs.record(part, run={"finished": runs.now()}, seconds={"total": round(time.perf_counter() - started, 3)})


def further(name, parameter_file, texts, say=print):
    """Run a further notebook in the folder of the run RUN; notebooks 01-03 first where there is no such run.

    Its executed notebook takes the place of an earlier one when it has passed; the run's other files stay.

    Args:
        name: the notebook's file name, such as TRUST_NOTEBOOK.
        parameter_file: flat YAML such as notebooks/trust.yaml; texts: of `--set`. Parameters of 01-03 are taken too.
            DATA "run" means the photos that the run was drawn from.

    Returns:
        the run's folder. Raises as `reproduce`.
    """
    from maskkit.sources import folders

    report, notebook = paths.NOTEBOOKS / "report.yaml", paths.NOTEBOOKS / name
    if not notebook.is_file():
        raise FileNotFoundError(f"{notebook} is missing; run maskkit inside its source tree (a clone)")
    settings = read_parameters(parameter_file)
    earlier = [paths.NOTEBOOKS / name for name in REPORT_NOTEBOOKS]
    checked = check(settings, texts, [notebook, *earlier])
    parameters = declared(notebook) | checked[notebook]
    for name in ("AGAINST", "DATA"):
        if parameters[name] not in PATH_PARAMETERS[name]:
            folders.find(parameters[name], name)
    run_dir = runs.path(parameters["RUN"])
    if not (run_dir / "model.json").is_file():
        say(f"there is no run {parameters['RUN']} yet: first the report")
        own = {name for path in earlier for name in declared(path)}
        reproduce(report, {name: text for name, text in texts.items() if name in own}, say=say)
    if parameters["DATA"] == "run":
        parameters["DATA"] = runs.read_metrics(run_dir)["run"].get("data", "auto")
    say(f"{notebook.stem}: {run_dir.name}, photos {parameters['DATA']}")
    watch, output = time.perf_counter(), run_dir / f"{notebook.stem}{runs.PART}.ipynb"
    with runs.locked(run_dir):
        disk.check_writable(run_dir)
        execute(notebook, output, parameters, echo=True)
        output.replace(run_dir / notebook.name)
        write_card(run_dir)
    say(f"{notebook.name}: passed in {time.perf_counter() - watch:.0f} s")
    return run_dir


def check_named(settings):
    """Make sure that files named in settings are there, and that torch knows the network and the device.

    Raises:
        FileNotFoundError, ValueError: one is not.
    """
    for name in ("WEIGHTS", "GROUPS"):
        value = settings.get(name, "")
        if value and value not in PATH_PARAMETERS[name] and not Path(value).is_file():
            raise FileNotFoundError(f"{name}: there is no file {value}")
    arch, device = settings.get("ARCH", "auto"), settings.get("DEVICE", "auto")
    if arch not in ("auto", "resnet18", "mobilenet_v2") or device == "cuda":
        from maskkit import model  # seconds, so only where the name alone does not tell

        if arch != "auto":
            model.architecture(arch)
        model.device(device)


def check_sources(settings, say):
    """Find photos, corrections and weights before any kernel starts; say first what fell back from auto, then which
    folder was chosen.

    Raises:
        FileNotFoundError, ValueError: as `folders.find`; or a class folder holds too few files.
    """
    from maskkit import corrections, split
    from maskkit.sources import folders

    check_named(settings)
    corrected = corrections.find(settings.get("CORRECTIONS", ""))
    source = folders.find(settings["DATA"])
    split.check_enough(source, settings.get("SPLIT", "grouped"))
    if source.note:
        say(fallback(source.note))
    network = f"{settings['ARCH']}, weights {Path(settings['WEIGHTS']).name}"
    if settings["WEIGHTS"] in ("auto", "imagenet"):  # others are found by 02_train, without torch imported here
        from maskkit import pretrained

        found = pretrained.find(settings["ARCH"], settings["WEIGHTS"])
        network = found.title
        if found.note:
            say(fallback(found.note))
    say(f"photos: {source.photos}; network: {network}")
    for line in source.lines():
        say(line)
    if corrected:
        say(f"corrected by hand: {corrections.format_summary(corrected)}, as far as they are drawn")


def fallback(note: str) -> str:
    """A note as the terminal shows it: its plain line, then the technical reason, indented."""
    return "FALLING BACK: " + note.replace("\n", "\n    ")


def execute(notebook, output, parameters, echo=False):
    """One notebook through papermill, in the notebooks' folder, with a bar of its cells on a terminal.

    `echo` repeats here what its cells print, as they print it, and on a terminal their own progress bars instead of
    that of the cells: for a notebook with cells that take minutes.
    """
    import logging

    import papermill
    from nbclient.exceptions import DeadKernelError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    if echo and sys.stdout.isatty():
        os.environ[paths.BARS] = "1"  # for the kernel, which inherits it
    try:
        papermill.execute_notebook(
            notebook,
            output,
            parameters=parameters,
            kernel_name="python3",
            cwd=str(paths.kernel_folder()),
            extra_arguments=QUIET_KERNEL,
            progress_bar=not echo and sys.stderr.isatty() and {"desc": notebook.stem},
            stdout_file=sys.stdout if echo else None,
        )
    except papermill.PapermillExecutionError as error:
        raise NotebookError(
            f"{notebook.name}, cell {error.cell_index + 1}: {error.ename}: {error.evalue}\n"
            f"The executed notebook with the whole traceback is {output}",
            mistake=error.ename in ("FileNotFoundError", "ValueError", "TypeError"),
        ) from error
    except DeadKernelError as error:
        raise NotebookError(
            f"{notebook.name}: its kernel died, as it does where memory runs out; {output} shows how far it came. "
            "Close other programs or take fewer photos, then run it again"
        ) from error
    except OSError as error:
        raise disk.not_written(output, error) if error.errno in disk.WRITE_FAULTS else error from error


def rename_run(part, notebooks, name):
    """Give the executed notebooks the run's own name, under which a reader may run them again."""
    for notebook in notebooks:
        path = part / notebook.name
        text = path.read_text(encoding="utf-8")
        for quoted in ('\\"{}\\"', '"{}"'):  # in the cell's source, and in papermill's metadata
            text = text.replace(quoted.format(part.name), quoted.format(name))
        disk.write_text(path, text)


def write_card(run_dir):
    """MODEL_CARD.md, where the notebooks left a model."""
    from maskkit.runner import card

    if (run_dir / "model.json").is_file():
        card.write(run_dir)


# --- the committed notebooks --------------------------------------------------------------------


def refresh(notebooks=NOTEBOOKS, say=print):
    """Run the committed notebooks top to bottom and store their outputs, without times, paths or progress bars; then
    make README's pictures of them."""
    import nbformat
    from nbclient import NotebookClient

    from maskkit.runner import thumbnails

    if paths.NOTEBOOKS == paths.PACKAGED:
        raise FileNotFoundError(f"{paths.ROOT} holds no notebooks to refresh; run this inside a clone")
    for name in notebooks:
        path = paths.NOTEBOOKS / name
        notebook = nbformat.read(path, 4)
        resources = {"metadata": {"path": str(paths.NOTEBOOKS)}}
        NotebookClient(notebook, kernel_name="python3", resources=resources, extra_arguments=QUIET_KERNEL).execute()
        clean(notebook)
        disk.write_text(path, nbformat.writes(notebook) + "\n")
        thumbnails.write(path, paths.ROOT / "docs" / "figures")
        say(f"{name}: refreshed")


def clean(notebook):
    """Drop what differs between two equal runs (times, progress bars, the machine's own metadata), and widgets, which
    show nothing without the kernel that made them."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            kept, cell.outputs = cell.outputs, []
            for output in kept:
                if output.get("name") == "stderr" or WIDGET in output.get("data", {}):
                    continue
                if output.get("name") and cell.outputs and cell.outputs[-1].get("name") == output.name:
                    cell.outputs[-1].text += output.text  # one stream, which the kernel sent in pieces
                else:
                    cell.outputs.append(output)
