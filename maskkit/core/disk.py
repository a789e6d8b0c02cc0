"""Files written whole or not at all; CSV that a spreadsheet cannot run; JSON."""

import contextlib
import csv
import dataclasses
import errno
import io
import json
import os
import re
import tempfile
from pathlib import Path

FORMULA = re.compile(r"'*[=+\-@\t\r\n]")  # what makes a spreadsheet run a cell (OWASP, CSV injection)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WRITE_FAULTS = (*DISK_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


# --- files, whole or not at all -----------------------------------------------------------------


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path`; renamed to `path` when the block ends well, removed when it does not.

    Raises:
        OSError: it could not be written, and what was there before is as it was.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:60]}.", suffix=path.suffix[:20], dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)  # mkstemp's 0600 would hide the result from a group or a web server
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in WRITE_FAULTS:
            raise
        raise not_written(path, error) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def not_written(path, error):
    """The error that says what a user can do about `error`, which kept `path` from being written."""
    what = "free some space" if error.errno in DISK_FULL else "make the folder writable, or write elsewhere"
    return OSError(f"{path} could not be written ({error.strerror}) and is as it was; {what}, then run it again")


def check_writable(folder):
    """Make the folder if need be, and see whether a file can be written there.

    Raises:
        OSError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)  # a full disk takes a name, not a block
    except OSError as error:
        raise not_written(folder, error) from error


def write_bytes(path, data):
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path, text):
    """UTF-8; bytes of a file name that are not UTF-8 come through unchanged."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path, value):
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path):
    """What a JSON file holds. Raises ValueError, which names the file, where it is no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8", errors="surrogateescape"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged ({error}): remove it, and run again what wrote it") from error


def write_csv(path, rows, columns):
    """Rows are dicts; a header even where there is no row. Text that a spreadsheet would run is defused."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(LineFeeds(text), columns)
    writer.writeheader()
    writer.writerows({name: defuse(cell) for name, cell in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read_csv(path):
    """The rows as dicts of text, as they were before `write_csv` defused them; a byte order mark, which spreadsheets
    write, is passed over.

    Raises:
        ValueError: it is no CSV file.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return [{name: restore(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}") from error


@dataclasses.dataclass
class LineFeeds:
    """Ends csv's lines in a line feed. Before Python 3.13 csv quotes a carriage return only if its own lines end so."""

    file: object

    def write(self, line):
        self.file.write(line.removesuffix("\r\n") + "\n")


def defuse(cell):
    """A cell that a spreadsheet shows rather than runs: an apostrophe before what begins like a formula.

    One is added too where only apostrophes stand before such a beginning, so that `restore` gives every text back.
    """
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def restore(cell):
    """What `defuse` was given."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell) else cell
