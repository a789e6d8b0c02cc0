"""`maskkit predict`: photos classified with a trained model."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from maskkit.cli import shared
from maskkit.cli.output import print_message, short_path

if TYPE_CHECKING:
    from maskkit.deploy.classifier import Classifier
    from maskkit.deploy.summary import Summary

NAMES_AS_THEY_ARE = "surrogateescape"  # also those that are not UTF-8
MAX_SKIPPED = 10  # skipped files named on the terminal; the table names all


def add(commands: shared.Commands) -> None:
    command = commands.add_parser(
        "predict",
        help="classify photos, or folders of them, with a trained model",
        description="Classify photos, or every file below folders. One row each: file, label, probability, note (why a "
        "file has no label). With --faces one row for each face: file, face, x, y, width, height, label, probability, "
        "note. Needs nothing but the run's model.safetensors and model.json, or an exported file.",
        epilog="example: maskkit predict my_photos --model report --csv predictions.csv --html predictions.html",
    )
    command.add_argument("photos", nargs="+", metavar="PHOTO_OR_FOLDER", help="- reads a list of them from stdin")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", metavar="RUN", help="a run's name or folder")
    which.add_argument("--onnx", metavar="FILE", help="a file of `maskkit export`, run by ONNX Runtime")
    command.add_argument("--csv", metavar="FILE", help="where the rows go (default: standard output)")
    command.add_argument("--html", metavar="FILE", help="a page with counts and the photos of lowest confidence")
    command.add_argument("--faces", action="store_true", help="find the faces in each picture, and classify each face")
    command.add_argument("--draw", metavar="DIR", help="with --faces: copies with a box and a label around each face")
    command.add_argument("--every", type=int, metavar="N", help="with --faces: of videos, classify one frame in N")
    command.add_argument(
        "--not-sure",
        type=float,
        metavar="SHARE",
        help='give no label, but the note "not sure", where two classes are possible, or none. SHARE is how often the '
        "right class may be ruled out in hard versions of the validation photos; start with 0.1 (docs/models.md)",
    )
    command.add_argument("--device", default="auto", help="auto, cpu or cuda; for --model")
    command.add_argument("--out", metavar="DIR", help="a folder or address: a table per partition, manifest.json")
    command.add_argument("--format", choices=("csv", "parquet"), default="csv", help="of these tables")
    shared.add_cluster(command)
    command.set_defaults(
        run=run,
        interrupted="the rows printed so far are valid; those of a --csv file are in FILE.part; with --out the same "
        "command continues after the finished tables",
    )


def run(arguments: argparse.Namespace) -> None:
    if not arguments.faces and (arguments.draw or arguments.every is not None):
        raise ValueError("--draw and --every go with --faces")
    if arguments.every is not None and arguments.every < 1:
        raise ValueError(f"--every takes 1 or more, got {arguments.every}")
    if arguments.draw:
        from maskkit.core import disk

        Path(arguments.draw).mkdir(parents=True, exist_ok=True)
        disk.check_writable(Path(arguments.draw))
    if arguments.out or arguments.workers or arguments.cluster:
        write_partitions(arguments)
    else:
        write_table(arguments)


def write_table(arguments: argparse.Namespace) -> None:
    """One table of all photos, and with `--html` a page."""
    from maskkit.core import disk, progress
    from maskkit.deploy import page, predict, predict_faces, rows
    from maskkit.deploy.summary import Summary
    from maskkit.sources import face_finder

    if arguments.html:
        disk.check_writable(Path(arguments.html).parent)  # not after thousands of photos
    files = find_photos(arguments)
    faces = rows.FaceOptions(arguments.every, arguments.draw) if arguments.faces else None
    find = face_finder.load() if faces else None  # before the model: it is what may not be installed
    classifier = load_classifier(arguments)
    summary = Summary(classifier.classes, "face" if arguments.faces else "photo")
    apart = bool(arguments.csv) or not sys.stdout.isatty()  # a table on the terminal and a bar would mix
    listed = progress.bar(files, show=apart, desc="predicting", unit=" files")
    if find and faces:
        answers = rows.face_rows(listed, find, classifier, faces, summary)
    else:
        answers = rows.photo_rows(listed, classifier, summary)
    with open_table(arguments.csv) as table:
        for row in predict.write_csv(answers, table, rows.columns(faces)):
            if predict_faces.is_skipped(row) and summary.skipped <= MAX_SKIPPED:
                print_message(f"skipped {row['file']}: {row['note']}")
    if summary.skipped > MAX_SKIPPED:
        print_message(f"... and {summary.skipped - MAX_SKIPPED:,} more skipped files, named in the table")
    if arguments.html:
        print_message(f"read {short_path(page.write(summary, classifier.about, arguments.html).resolve())}")
    print_counts(summary)
    if summary.n and not arguments.html:
        print_message(f"next: the same with --html PAGE.html shows the {summary.unit}s beside the answers")


def find_photos(arguments: argparse.Namespace) -> list[str]:
    """The files that the command was given; folders that hold none are named on standard error."""
    from maskkit.deploy import photo_files

    files, empty = photo_files.find_files(arguments.photos, sys.stdin)
    for name in empty:
        print_message(f"{name} holds no file")
    return files


def load_classifier(arguments: argparse.Namespace) -> "Classifier":
    from maskkit import runs
    from maskkit.deploy import classifier

    if arguments.model is None:
        return classifier.from_onnx(Path(arguments.onnx).expanduser(), arguments.not_sure)
    return classifier.from_run(runs.find(arguments.model), arguments.device, arguments.not_sure)


@contextlib.contextmanager
def open_table(path: str | None) -> Iterator[TextIO]:
    """A text stream for the rows: a file that appears whole when the block ends, or standard output.

    If a signal ends the command, the rows so far stay in <path>.part.
    """
    from maskkit.core import disk

    if not path:
        standard_output = cast(io.TextIOWrapper, sys.stdout)
        standard_output.reconfigure(encoding="utf-8", errors=NAMES_AS_THEY_ARE, newline="")
        yield standard_output
        return
    with (
        disk.replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors=NAMES_AS_THEY_ARE, newline="") as file,
    ):
        try:
            yield file
        except (KeyboardInterrupt, SystemExit):  # SIGINT, SIGTERM
            file.flush()
            os.replace(temporary, f"{path}.part")
            raise


def print_counts(summary: "Summary") -> None:
    from maskkit.core.messages import plural

    print_message(", ".join(f"{n:,} {name}" for name, n in summary.counts.items()))
    without = f", {plural(summary.without_face, 'picture')} without a face" if summary.unit == "face" else ""
    unsure = f", {summary.unsure:,} not sure" if summary.unsure else ""
    print_message(f"{plural(summary.n, summary.unit)}{unsure}{without}, {plural(summary.skipped, 'file')} skipped")


def write_partitions(arguments: argparse.Namespace) -> None:
    """`--out`: a table per partition, here or on a cluster."""
    from maskkit import runs
    from maskkit.core import progress
    from maskkit.deploy import partitions, rows
    from maskkit.sweep import cluster

    if arguments.model is None or arguments.csv or arguments.html or not arguments.out:
        raise ValueError(
            "--workers, --cluster and --out write partitions: they need --model RUN and --out DIR, and "
            "go without --onnx, --csv and --html"
        )
    files = find_photos(arguments)
    if arguments.faces:
        partitions.load_finder()  # what may not be installed is said before workers start
    with (
        cluster.open_client(arguments.cluster, arguments.workers) as client,
        progress.bar(total=len(files), desc="predicting", unit=" files") as bar,
    ):
        manifest = partitions.predict_partitions(
            client,
            runs.find(arguments.model),
            files,
            arguments.out,
            kind=arguments.format,
            device=arguments.device,
            faces=rows.FaceOptions(arguments.every, arguments.draw) if arguments.faces else None,
            not_sure=arguments.not_sure,
            progress=lambda entry: bar.update(entry["files"]),
        )
    tables = manifest["partitions"]
    photos, skipped = (sum(table[name] for table in tables) for name in ("photos", "skipped"))
    counts = [f"{photos:,} photos"]
    if arguments.not_sure is not None:
        counts.append(f"{sum(table['not_sure'] for table in tables):,}{' faces' * arguments.faces} not sure")
    counts += [f"{skipped:,} files skipped", f"{len(tables):,} partitions in {arguments.out}"]
    print_message(", ".join(counts))
    print_message(f"next: read {arguments.out}/{partitions.MANIFEST}, which lists the tables")
