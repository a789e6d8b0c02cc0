"""The faults that maskkit must survive, by kind, and the table of their tests: docs/faults.md.

`python -m faults.catalogue` (in tests/) writes the table anew from the marks `pytest.mark.fault` of the tests.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "faults.md"
KINDS = ("photos", "sets", "models", "parameters", "machine", "security", "determinism", "scale")
# What has to be there. A mark may name further faults; one of these without a test fails `test_table.py`.
EXPECTED = {
    "photos": (
        "zero bytes", "truncated JPEG", "truncated PNG", "text named .jpg", "HTML named .jpg", "PDF named .jpg",
        "PNG named .jpg", "WEBP named .jpg", "odd suffix", "animated GIF", "animated PNG", "animated WEBP", "CMYK JPEG",
        "YCCK JPEG", "16-bit PNG", "32-bit TIFF", "palette with transparency", "RGBA", "LA", "1-bit", "EXIF turns 2-8",
        "AVIF", "HEIC", "JPEG 2000", "animated AVIF", "truncated AVIF", "truncated HEIC", "truncated JPEG 2000",
        "JPEG without its end", "two JPEGs in one file", "12-bit TIFF", "TIFF of an unknown layout",
        "turn in XMP alone",
        "1 x 1", "1 x 10,000", "30,000 x 30,000 bomb", "text-chunk bomb", "same bytes in both classes",
        "exception inside Pillow", "unreadable file", "FIFO", "socket", "device", "symlink loop",
        "symlink out of the folder",
        "name with spaces", "name with a newline", "right-to-left name", "emoji name", "name of non-UTF-8 bytes",
        "name of 255 characters", "name with <script>", "__MACOSX", ".DS_Store", ".ipynb_checkpoints", "Thumbs.db",
    ),
    "sets": (
        "empty class", "missing class", "a third folder", "swapped class names", "re-spelled class names",
        "too few photos", "photo removed before training", "photo changed before training", "read-only input",
        "part without classes", "parts with other classes", "class named like a part", "class inside another class",
        "sources taken for classes", "photos without class folders", "class folder whose name is not UTF-8",
    ),
    "models": (
        "pickle with a payload", "truncated", "foreign", "other classes", "NaN weights",
        "wrong hash of downloaded weights", "half-downloaded file",
    ),
    "parameters": (
        "wrong type", "out of range", "unknown name", "unknown language", "negative learning rate", "NaN learning rate",
        "zero epochs", "batch larger than the set", "path with quotes", "notebook run alone",
        "notebook out of order",
    ),
    "security": (
        "code that runs a file or a string", "photo format not allowed", "HTML in a name", "formula in a CSV cell",
        "token in a run folder or output", "telemetry",
    ),
    "machine": (
        "SIGKILL: prepare", "SIGKILL: cache write", "SIGKILL: training", "SIGKILL: checkpoint",
        "SIGKILL: between notebooks", "SIGKILL inside a notebook, papermill's kernel left behind",
        "SIGKILL at random, many times", "SIGINT", "SIGTERM", "disk full", "permission denied",
        "read-only output, found before training", "two runs into one folder: the second refuses", "stale lock",
        "two processes filling one cache", "CUDA asked for and absent", "CUDA out of memory", "no network",
        "hanging network", "HTTP 403", "small /dev/shm, worker crashes",
    ),
    "determinism": (
        "hash seed", "locale", "LANG=C", "TZ", "any working directory", "clock jumps", "folder order",
    ),
    "scale": ("fuzzed files",),
}  # fmt: skip


def collect():
    """{(kind, fault): [test names]} of the marks in tests/faults, found by pytest itself, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "--faults-json", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(Path(__file__).parent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))},
    )
    lines = [line.removeprefix("faults: ") for line in done.stdout.splitlines() if line.startswith("faults: ")]
    if done.returncode or not lines:
        raise RuntimeError(f"pytest could not collect tests/faults:\n{done.stdout}{done.stderr}")
    return {(kind, fault): tests for kind, fault, tests in json.loads(lines[0])}


def missing(found):
    """Faults of EXPECTED without a test."""
    return [(kind, fault) for kind, faults in EXPECTED.items() for fault in faults if (kind, fault) not in found]


def render(found):
    """The table as Markdown, in the order of EXPECTED, others behind."""
    lines = [
        "# Faults, and the test that injects each",
        "",
        "Written by `make faults-table` from the marks of the tests in `tests/faults/`; not edited by hand.",
        "A test that takes minutes carries the mark `slow` or runs its long form with `make faults`.",
    ]
    for kind in KINDS:
        order = list(EXPECTED.get(kind, ()))
        own = sorted(
            (fault for of, fault in found if of == kind),
            key=lambda fault: (order.index(fault) if fault in order else len(order), fault),
        )
        if own:
            lines += ["", f"## {kind.capitalize()}", "", "| fault | test |", "|---|---|"]
            for fault in own:
                tests = ", ".join(f"`{test}`" for test in found[kind, fault])
                lines.append(f"| {escaped(fault)} | {tests} |")
    return "\n".join(lines) + "\n"


def escaped(words):
    return words.replace("<", "&lt;").replace("_", "\\_").replace("|", "\\|")


if __name__ == "__main__":
    TABLE.write_text(render(collect()), encoding="utf-8")
