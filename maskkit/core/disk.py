"""Files written completely or not at all; CSV without spreadsheet formulas; JSON."""

import contextlib
import csv
import dataclasses
import errno
import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

FORMULA = re.compile(r"'*[=+\-@\t\r\n]")  # a cell that a spreadsheet would run (OWASP, CSV injection)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WRITE_FAULTS = (*DISK_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


# --- complete files ----------------------------------------------------------------------------


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` if the block succeeds, and is removed if not.

    Raises:
        OSError: the file could not be written; the previous file is unchanged.
    """
    path = Path(path)
    temporary: Path | None = None
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


def not_written(path: Path, error: OSError) -> OSError:
    """Return the error for a file that could not be written because of `error`; it says what the user can do."""
    what = "free some space" if error.errno in DISK_FULL else "make the folder writable, or write elsewhere"
    return OSError(f"{path} could not be written ({error.strerror}) and is as it was; {what}, then run it again")


def check_writable(folder: Path) -> None:
    """Make the folder if it does not exist, and check that a file can be written there.

    Raises:
        OSError: no file can be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)  # a full disk takes a name, not a block
    except OSError as error:
        raise not_written(folder, error) from error


def sha256(path: str | Path) -> str:
    """The sha256 of a file of any size."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: str | Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8; bytes of a file name that are not UTF-8 stay as they are."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        ValueError: the file is not JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8", errors="surrogateescape"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged ({error}): remove it, and run again what wrote it") from error


def write_csv(path: str | Path, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """Write rows with a header, even if there is no row. Text that a spreadsheet would run is escaped."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(LineFeeds(text), columns)
    writer.writeheader()
    writer.writerows({name: escape(cell) for name, cell in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Return the rows as dicts of text, as they were before `write_csv` escaped them.

    A byte order mark, which spreadsheets write, is skipped.

    Raises:
        ValueError: the file is not CSV.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return [{name: unescape(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}") from error


@dataclasses.dataclass
class LineFeeds:
    """Ends the csv module's lines with a line feed.

    Before Python 3.13 that module quotes a carriage return in a cell only if its own lines end with one.
    """

    file: TextIO

    def write(self, line: str) -> None:
        self.file.write(line.removesuffix("\r\n") + "\n")


def escape(cell: Any) -> Any:
    """Put an apostrophe before text that begins like a formula, so that a spreadsheet shows it and does not run it.

    Text that begins with apostrophes and then like a formula gets one too, so that `unescape` restores every text.
    """
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def unescape(cell: str) -> str:
    """Undo `escape`."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell) else cell
