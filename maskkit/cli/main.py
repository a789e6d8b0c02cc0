"""The command line: `maskkit` and `python -m maskkit` are the same program.

Nothing heavy is imported before a command needs it.
"""

import argparse
import contextlib
import os
import shlex
import signal
import sys
import traceback
import warnings
from pathlib import Path

from maskkit import __version__

# What is left by a command that a signal ends.
KEPT = "an earlier run of this name is as it was; the same command begins it again"
REACHED = {
    "reproduce": KEPT,
    "improve": "the run's other files are as they were; the same command begins it again",
    "trust": "the run's other files are as they were; the same command begins it again",
    "audit": "features computed so far are kept; the same command goes on from there",
    "sweep": "finished recipes are kept; the same command goes on from there",
    "predict": "the rows printed so far hold; of a --csv file what was reached is in FILE.part; with --out the same "
    "command goes on from the tables that are finished",
    "export": "no file was written",
    "card": "no file was written",
    "kaggle": "what DIR held is as it was",
    "refresh": "notebooks named as refreshed are, the others are as they were",
}
FAULT = "please report the lines above, with the command and what `maskkit doctor` says"
MAX_TOLD = 10  # skipped files named on the terminal; the table names all


class Parser(argparse.ArgumentParser):
    """argparse's, with a hint where a file's name looks like an option."""

    words: tuple[str, ...] = ()  # of the command line

    def parse_args(self, args=None, namespace=None):
        Parser.words = tuple(sys.argv[1:] if args is None else args)
        return super().parse_args(args, namespace)

    def error(self, message):
        given = self.words[: self.words.index("--")] if "--" in self.words else self.words
        dashed = next((word for word in given if word[:1] == "-" != word and os.path.lexists(word)), None)
        hint = f"; a file whose name begins with a dash is given as {shlex.quote(f'./{dashed}')}" if dashed else ""
        super().error(message + hint)


def parser():
    purpose = "Repeat the face-mask report; say how far its number holds."
    top = Parser(prog="maskkit", description=purpose)
    top.add_argument("--version", action="version", version=f"maskkit {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    add_notebooks(
        commands,
        "reproduce",
        run_reproduce,
        "report.yaml",
        help="run notebooks 01-03 through papermill into runs/<RUN>/",
        description="Run notebooks 01-03 through papermill into runs/<RUN>/ and compare with the report's figures.",
        epilog="example: maskkit reproduce --set DATA=my_photos --set RUN=mine",
    )
    add_notebooks(
        commands,
        "trust",
        run_trust,
        "trust.yaml",
        help="run notebook 05_trust in the folder of a run: the audit",
        description="Run notebook 05_trust in the folder of a run (01-03 first where there is none): the audit.",
        epilog="example: maskkit trust --set RUN=mine --set DATA=my_photos --set AGAINST=other_photos",
    )
    add_notebooks(
        commands,
        "improve",
        run_improve,
        "improve.yaml",
        help="run notebook 04_improve in the folder of a run: the report's wishes, measured",
        description="Run notebook 04_improve in the folder of a run (01-03 first where there is none): augmentation, "
        "a lighter network, the last stages unfrozen, each as a paired gain.",
        epilog="example: maskkit improve --set RUN=mine --set AGAINST=other_photos",
    )

    command = commands.add_parser(
        "audit",
        help="how much of the number is real: leaks, shortcuts, luck, other sources",
        description="Audit a folder of photos, and a model: luck of the split, leaks, shortcuts, where the model "
        "looks, another source, odd files, calibration. Writes audit.json, audit.html, figures and lists.",
        epilog="example: maskkit audit my_photos --model mine --against other_photos",
    )
    command.add_argument("folder", help="photos: one sub-folder per class, Kaggle's 12K set, or demo")
    command.add_argument("--model", metavar="RUN", help="a run's name or folder (default: train the recipe here)")
    command.add_argument("--arch", default="auto", help="resnet18 or mobilenet_v2: the backbone without a run's")
    command.add_argument("--weights", default="auto", help="its weights: auto, imagenet, packaged, none or a file")
    command.add_argument("--against", metavar="FOLDER", default="", help="photos of the same classes from elsewhere")
    command.add_argument("--out", metavar="DIR", help="where to write (default: the run's folder, or runs/audit-NAME)")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--seed", type=int, default=0, help="of draws, folds and resamples")
    command.set_defaults(run=run_audit)

    command = commands.add_parser(
        "predict",
        help="classify photos, or folders of them, with a trained model",
        description="Classify photos, or every file below folders. One row each: file, label, probability, note (why a "
        "file was skipped). Needs nothing but the run's model.safetensors and model.json, or an exported file.",
        epilog="example: maskkit predict my_photos --model report --csv predictions.csv --html predictions.html",
    )
    command.add_argument("photos", nargs="+", metavar="PHOTO_OR_FOLDER", help="- reads a list of them from stdin")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", metavar="RUN", help="a run's name or folder")
    which.add_argument("--onnx", metavar="FILE", help="a file of `maskkit export`, run by ONNX Runtime")
    command.add_argument("--csv", metavar="FILE", help="where the rows go (default: standard output)")
    command.add_argument("--html", metavar="FILE", help="a page with counts and the least sure photos")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda; for --model")
    command.add_argument("--out", metavar="DIR", help="a folder or address: a table per partition, manifest.json")
    command.add_argument("--format", choices=("csv", "parquet"), default="csv", help="of these tables")
    add_cluster(command)
    command.set_defaults(run=run_predict)

    command = commands.add_parser(
        "sweep",
        help="many recipes: seeds, networks, rates; here or on a Dask cluster",
        description="Compute every recipe of SWEEP.yaml (each parameter of notebooks 01-03 with one value or a list) "
        "that is not there yet. Writes runs.csv, a figure and sweep.html, and runs the best through the notebooks.",
        epilog="example: maskkit sweep notebooks/sweep.yaml --workers 2",
    )
    command.add_argument("sweep", metavar="SWEEP.yaml", help="NAME: value or NAME: [values] a line, or runs:")
    command.add_argument("--out", metavar="DIR", help="where results lie (default: runs/sweep-NAME)")
    command.add_argument("--notebooks", action="store_true", help="run each recipe through the notebooks too")
    command.add_argument("--retry", nargs="+", default=[], metavar="NAME", help="broken recipes to try again, or all")
    add_cluster(command)
    command.set_defaults(run=run_sweep)

    command = commands.add_parser(
        "export",
        help="write a trained model as one ONNX file",
        description="Write a run's model as one ONNX file, from photos of any size to probabilities, checked against "
        "torch. Needs the extra [onnx].",
        epilog="example: maskkit export --model report --onnx masks.onnx",
    )
    command.add_argument("--model", metavar="RUN", required=True, help="a run's name or folder")
    command.add_argument("--onnx", metavar="FILE", required=True, help="where to write")
    command.set_defaults(run=run_export)

    command = commands.add_parser(
        "card",
        help="write a run's MODEL_CARD.md anew",
        description="Write a run's MODEL_CARD.md anew from its files; reproduce and trust do so by themselves.",
    )
    command.add_argument("model", metavar="RUN", help="a run's name or folder")
    command.set_defaults(run=run_card)

    command = commands.add_parser(
        "runs",
        help="list the run folders",
        description="List the folders of runs/: when, which photos and network, the score with its interval, lights.",
    )
    command.set_defaults(run=run_runs)

    command = commands.add_parser(
        "compare",
        help="two runs side by side",
        description="What differs between two runs, their scores, the difference with its 95 % interval (paired where "
        "both were checked on the same photos), and their curves in one figure.",
        epilog="example: maskkit compare report mine",
    )
    command.add_argument("first", metavar="A", help="a run's name or folder")
    command.add_argument("second", metavar="B", help="another")
    command.add_argument("--out", metavar="DIR", help="where figures/ goes (default: runs/compare-A-B)")
    command.set_defaults(run=run_compare)

    command = add_notebooks(
        commands,
        "kaggle",
        run_kaggle,
        "report.yaml",
        help="write what runs the report on Kaggle, without the internet",
        description="Write DIR/dataset (our wheel, the weights) and DIR/notebook (notebooks 01-03 as one), for "
        "Kaggle's command line to upload.",
        epilog="example: maskkit kaggle kaggle --user my-name",
        first=("folder", "DIR", "where dataset/ and notebook/ go"),
    )
    command.add_argument("--user", required=True, metavar="NAME", help="your Kaggle user name, the owner of both")

    command = commands.add_parser(
        "doctor",
        help="what is installed, where things lie, what can be reached, what to do",
        description="Versions, device, folders and caches with their sizes, what can be reached, and what to do.",
    )
    command.set_defaults(run=run_doctor)

    command = commands.add_parser(
        "refresh",
        help="run the committed notebooks and store their outputs",
        description="Run the committed notebooks in place and store their outputs, without times or paths.",
    )
    command.set_defaults(run=run_refresh)
    return top


def add_cluster(command):
    """Where the work is done: here, by workers started here, or on a running cluster."""
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, default=0, metavar="N", help="share the work among N processes (Dask)")
    where.add_argument("--cluster", metavar="ADDRESS", help="of a running Dask scheduler, such as tcp://host:8786")


def add_notebooks(commands, name, run, default, first=None, **texts):
    """A command about notebooks: a parameter file (`default`: one of notebooks/), and `--set`; returns its parser.

    `first`: (name, metavar, help) of an argument before the file.
    """
    command = commands.add_parser(name, **texts)
    if first:
        command.add_argument(first[0], metavar=first[1], help=first[2])
    command.add_argument("parameters", nargs="?", help=f"flat YAML of parameters (default: notebooks/{default})")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one parameter, over the file's; relative paths mean this folder; may be repeated",
    )
    command.set_defaults(run=run, default=default)
    return command


def parameters_of(arguments):
    """The parameter file, and {name: text} of the `--set` arguments."""
    from maskkit.core import paths

    return arguments.parameters or paths.NOTEBOOKS / arguments.default, texts_of(arguments)


def texts_of(arguments):
    """{name: text} of the `--set` arguments."""
    texts = {}
    for setting in arguments.set:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"--set {setting!r} must read NAME=VALUE")
        texts[name] = value
    return texts


def run_trust(arguments):
    from maskkit.core import disk
    from maskkit.runner import reproduce

    run_dir = reproduce.further(reproduce.TRUST_NOTEBOOK, *parameters_of(arguments))
    print_lights(disk.read_json(run_dir / "audit.json"))
    print(f"read {show(run_dir / 'report.html')}")
    print_next("improve", "--set", f"RUN={run_dir.name}")


def run_improve(arguments):
    from maskkit.core import disk
    from maskkit.runner import reproduce

    run_dir = reproduce.further(reproduce.IMPROVE_NOTEBOOK, *parameters_of(arguments))
    for entries in disk.read_json(run_dir / "improve.json")["gains"].values():
        for one in entries.values():
            print(one["sentence"])
    print(f"read {show(run_dir / '04_improve.ipynb')}")
    print_next("predict", "YOUR_PHOTOS", "--model", run_dir.name)


def run_audit(arguments):
    from maskkit.core import parameters
    from maskkit.sources import folders

    parameters.check(
        {"ARCH": arguments.arch, "WEIGHTS": arguments.weights, "DEVICE": arguments.device, "SEED": arguments.seed}
    )
    for name, given in (("DATA", arguments.folder), ("--against", arguments.against)):
        if given not in ("", "auto", "kaggle", "demo"):
            folders.find(given, name)  # here, so that a mistake is said before torch is loaded
    from maskkit import runs
    from maskkit.audit import audit, page
    from maskkit.core import paths

    run = None if arguments.model is None else runs.find(arguments.model)
    name = "".join(letter if letter.isalnum() else "-" for letter in Path(arguments.folder).name) or "photos"
    out = Path(arguments.out) if arguments.out else run or paths.RUNS / f"audit-{name}"
    result = audit.audit(
        arguments.folder,
        out,
        run=run,
        arch=arguments.arch,
        weights=arguments.weights,
        against=arguments.against,
        device=arguments.device,
        seed=arguments.seed,
    )
    print_lights(result)
    print(f"read {show(page.write(result, out).resolve())}")
    groups = str(show((out / "groups.csv").resolve()))
    print_next("reproduce", "--set", f"DATA={arguments.folder}", "--set", f"GROUPS={groups}")


def print_lights(result):
    for light in result["lights"].values():
        print(f"{light['light']:8}{light['title']}: {light['sentence']}")


def run_reproduce(arguments):
    from maskkit import runs
    from maskkit.runner import reproduce

    run_dir = reproduce.reproduce(*parameters_of(arguments))
    from maskkit import evaluate  # here, so that a mistake is said before torch is loaded

    metrics = runs.read_metrics(run_dir)
    print(f"best epoch {metrics['best']['epoch']}: {evaluate.say(metrics['best'])}")
    print(f"last epoch {metrics['last']['epoch']}: {evaluate.say(metrics['last'])}")
    print(f"read {show(run_dir / 'report.html')}")
    print_next("trust", "--set", f"RUN={run_dir.name}")


def run_sweep(arguments):
    from maskkit.core import progress
    from maskkit.sweep import cluster, sweep

    with cluster.clients(arguments.cluster, arguments.workers) as client, progress.bar(unit=" recipes") as bar:

        def watch(found):
            bar.total = len(found.rows)
            bar.update(bar.total - found.counts["open"] - bar.n)

        found = sweep.run(
            arguments.sweep,
            arguments.out,
            client=client,
            notebooks=arguments.notebooks,
            retry=arguments.retry,
            say=tell,
            watch=watch,
        )
    print(f"read {show((found.folder / 'sweep.html').resolve())}")
    print_next("predict", "YOUR_PHOTOS", "--model", f"{found.name}-best")
    if broken := found.of("broken"):
        raise OSError(f"{len(broken)} of {len(found.rows)} recipes broke; --retry {broken[0]} tries that one again")


def find_photos(arguments):
    """The files that `maskkit predict` was given; a folder without any is told."""
    from maskkit.deploy import predict

    files, empty = predict.find(arguments.photos, sys.stdin)
    for name in empty:
        tell(f"{name} holds no file")
    return files


def predict_in_parts(arguments):
    """`maskkit predict --out`: a table per partition, here or on a cluster."""
    from maskkit import runs
    from maskkit.core import progress
    from maskkit.deploy import partitions
    from maskkit.sweep import cluster

    if arguments.model is None or arguments.csv or arguments.html or not arguments.out:
        raise ValueError(
            "--workers, --cluster and --out write partitions: they need --model RUN and --out DIR, and "
            "go without --onnx, --csv and --html"
        )
    files = find_photos(arguments)
    with (
        cluster.clients(arguments.cluster, arguments.workers) as client,
        progress.bar(total=len(files), desc="predicting", unit=" files") as bar,
    ):
        manifest = partitions.predict(
            client,
            runs.find(arguments.model),
            files,
            arguments.out,
            kind=arguments.format,
            device=arguments.device,
            progress=lambda entry: bar.update(entry["files"]),
        )
    photos, skipped = (sum(entry[name] for entry in manifest["partitions"]) for name in ("photos", "skipped"))
    tell(f"{photos:,} photos, {skipped:,} files skipped, {len(manifest['partitions']):,} partitions in {arguments.out}")
    tell(f"next: read {arguments.out}/{partitions.MANIFEST}, which lists the tables")


def run_predict(arguments):
    if arguments.out or arguments.workers or arguments.cluster:
        predict_in_parts(arguments)
        return
    from maskkit import runs
    from maskkit.core import disk, progress
    from maskkit.core.messages import plural
    from maskkit.deploy import page, predict

    if arguments.html:
        disk.check_writable(Path(arguments.html).parent)  # not after thousands of photos
    files = find_photos(arguments)
    found = runs.find(arguments.model) if arguments.model is not None else Path(arguments.onnx).expanduser()
    classifier = predict.from_onnx(found) if arguments.model is None else predict.from_run(found, arguments.device)
    summary = predict.Summary(classifier.classes)
    with contextlib.ExitStack() as stack:
        table = open_table(arguments.csv, stack)
        rows = predict.write_csv(predict.predict(files, classifier), table)
        apart = bool(arguments.csv) or not sys.stdout.isatty()  # a table on the terminal and a bar would mix
        for row in progress.bar(rows, show=apart, total=len(files), desc="predicting", unit=" files"):
            summary.add(row)
            if row["label"] is None and summary.skipped <= MAX_TOLD:
                tell(f"skipped {row['file']}: {row['note']}")
    if summary.skipped > MAX_TOLD:
        tell(f"... and {summary.skipped - MAX_TOLD:,} more skipped files, named in the table")
    if arguments.html:
        tell(f"read {show(page.write(summary, classifier.about, arguments.html).resolve())}")
    tell(", ".join(f"{n:,} {name}" for name, n in summary.counts.items()))
    tell(f"{plural(summary.n, 'photo')}, {plural(summary.skipped, 'file')} skipped")
    if summary.n and not arguments.html:
        tell("next: the same with --html PAGE.html shows the photos beside the answers")


def open_table(path, stack):
    """A text stream for the rows: a file that appears whole when `stack` closes, or standard output.

    Where a signal ends the command, the rows so far stay in <path>.part.
    """
    exact = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}  # names as they are, bytes and all
    if path:
        return stack.enter_context(table_file(path, exact))
    sys.stdout.reconfigure(**exact)
    return sys.stdout


@contextlib.contextmanager
def table_file(path, exact):
    from maskkit.core import disk

    with disk.replacing(path) as temporary, open(temporary, "w", **exact) as file:
        try:
            yield file
        except (KeyboardInterrupt, Terminated):
            file.flush()
            os.replace(temporary, f"{path}.part")
            raise


def tell(words):
    """A line on standard error, above a progress bar; what would steer a terminal is spelled out."""
    from maskkit.core import progress

    spelled = "".join(x if x.isprintable() else x.encode("unicode_escape", "surrogatepass").decode() for x in words)
    progress.write(spelled)


def run_export(arguments):
    from maskkit import runs
    from maskkit.core import disk
    from maskkit.deploy import export

    disk.check_writable(Path(arguments.onnx).parent)
    difference = export.export(runs.find(arguments.model), arguments.onnx)
    size = Path(arguments.onnx).stat().st_size
    print(f"largest difference from torch over {len(export.SIZES)} photos of different sizes: {difference:.1e}")
    print(f"wrote {arguments.onnx} ({size / 1e6:.1f} MB, opset {export.OPSET})")
    print_next("predict", "YOUR_PHOTOS", "--onnx", arguments.onnx)


def run_card(arguments):
    from maskkit import runs
    from maskkit.runner import card

    run_dir = runs.find(arguments.model)
    print(f"read {show(card.write(run_dir).resolve())}")
    print_next("export", "--model", arguments.model, "--onnx", f"{run_dir.name}.onnx")


def run_runs(arguments):
    from maskkit.core import paths
    from maskkit.runner import compare_runs

    rows, unfinished = compare_runs.listing(), compare_runs.unfinished()
    if rows:
        print(compare_runs.table(compare_runs.COLUMNS, [row.values() for row in rows]))
    else:
        print(f"{show(paths.RUNS)} holds no run yet")
    if unfinished:
        print("unfinished:")
        states = {True: "under way", False: "cut off; the same command begins it anew, make clean removes it"}
        print("\n".join(f"  {name}  {states[at_work]}" for name, at_work in unfinished.items()))
    names = [row["run"] for row in rows if compare_runs.is_evaluated(paths.RUNS / row["run"])]
    if not names:
        print_next("reproduce")
    else:
        print_next(*(["compare", *names[:2]] if len(names) > 1 else ["trust", "--set", f"RUN={names[0]}"]))


def run_compare(arguments):
    from maskkit import plots, runs, train
    from maskkit.core import paths
    from maskkit.runner import compare_runs

    first, second = (runs.find(name) for name in (arguments.first, arguments.second))
    names = (
        [str(show(first.resolve())), str(show(second.resolve()))]
        if first.name == second.name
        else (first.name, second.name)
    )
    found = compare_runs.compare(first, second)
    print(compare_runs.table(("", *names), [*found["settings"], *found["scores"]]))
    print(found["sentence"])
    out = Path(arguments.out) if arguments.out else paths.RUNS / f"compare-{first.name}-{second.name}"
    histories = dict(zip(names, map(train.read_history, (first, second)), strict=True))
    plots.save(plots.curves_compared(histories), out, "curves")
    print(f"see {show((out / 'figures' / 'curves.png').resolve())}")
    print_next("trust", "--set", f"RUN={names[0]}")


def run_kaggle(arguments):
    from maskkit.deploy import kaggle_upload

    dataset, kernel = kaggle_upload.write(arguments.folder, arguments.user, *parameters_of(arguments))
    for path in sorted([*dataset.iterdir(), *kernel.iterdir()]):
        print(f"{path.stat().st_size / 1e6:7.2f} MB  {path}")
    print("next, with Kaggle's command line (pip install kaggle) and your account:")
    print(f"  {shlex.join(['kaggle', 'datasets', 'create', '-p', str(dataset)])}    # later: datasets version -m again")
    print(f"  {shlex.join(['kaggle', 'kernels', 'push', '-p', str(kernel)])}")


def run_doctor(arguments):
    from maskkit.runner import doctor

    found, advice = doctor.examine()
    for section, entries in found.items():
        print(section)
        for name, finding in entries.items():
            print(f"  {name:30} {finding}")
    print("what to do")
    for sentence in advice or ["nothing: all is there"]:
        print(f"  {sentence}")
    print_next("reproduce")


def run_refresh(arguments):
    from maskkit.runner import reproduce

    reproduce.refresh()
    print("next: git diff notebooks/")


def print_next(*words):
    """The next command, as it can be pasted: by the program that runs now."""
    program = Path(sys.argv[0]).absolute()
    ours = [str(show(program))] if program.stem == "maskkit" else [str(show(Path(sys.executable))), "-m", "maskkit"]
    print(f"next: {shlex.join([*ours, *words])}")


def show(path):
    """The path, relative to the caller's folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def cell_failure():
    """The exception of a failed cell; imported only once something was raised."""
    from maskkit.runner.reproduce import NotebookError

    return NotebookError


class Terminated(SystemExit):
    """SIGTERM came. A SystemExit, because asyncio, which papermill runs in, lets no other one of ours through."""


def terminate(*_):
    raise Terminated


def main(argv=None):
    """Run one command; returns the exit code: 2 for a user's mistake, 1 for a fault, 130 / 143 for a signal."""
    signal.signal(signal.SIGTERM, terminate)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (KeyboardInterrupt, Terminated) as signalled:
        # Coroutines of a notebook's client that the signal cut off: Python would report them below the last words.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        reached = REACHED.get(arguments.command, "what was written before stays")
        print(f"maskkit: interrupted; {reached}", file=sys.stderr)
        return 143 if isinstance(signalled, Terminated) else 130
    except BrokenPipeError:  # the reader, such as `head`, has enough; Python would complain when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (FileNotFoundError, ValueError, TypeError) as error:
        print(f"maskkit: {error}", file=sys.stderr)
        return 2
    except (OSError, MemoryError, cell_failure()) as error:
        print(f"maskkit: {error}", file=sys.stderr)
        return 2 if getattr(error, "mistake", False) else 1
    except Exception as error:
        traceback.print_exc()
        print(f"maskkit: {type(error).__name__}, a fault of maskkit's own; {FAULT}", file=sys.stderr)
        return 1
    return 0
