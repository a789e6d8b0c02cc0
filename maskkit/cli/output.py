"""What several commands print: the next command, paths as the caller would type them, the audit's checks."""

import shlex
import sys
from pathlib import Path
from typing import Any

from maskkit.core.audit_file import RESULTS


def print_next(*words: str) -> None:
    """The next command, as it can be pasted: by the program that runs now."""
    program = Path(sys.argv[0]).absolute()
    if program.stem == "maskkit":
        call = [str(short_path(program))]
    else:
        call = [str(short_path(Path(sys.executable))), "-m", "maskkit"]
    print(f"next: {shlex.join([*call, *words])}")


def print_next_trust(run_dir: Path) -> None:
    """`maskkit trust` of a run, as the next command; a run elsewhere than in runs/ has no name to give it."""
    from maskkit.core import paths

    if run_dir.resolve().parent == paths.RUNS.resolve():
        print_next("trust", "--set", f"RUN={run_dir.resolve().name}")


def short_path(path: Path) -> Path:
    """The path, relative to the caller's folder if it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def print_checks(audit: dict[str, Any]) -> None:
    """One line for each check of an audit: its code, result, title and sentence, and why it is muted."""
    for check in filter(lambda check: check["name"], audit["checks"]):
        result = audit["results"][check["name"]]
        reason = f" (muted: {check['muted']})" if check["muted"] else ""
        print(f"{check['code']}  {RESULTS[result['result']]:13}{check['title']}: {result['sentence']}{reason}")


def print_message(text: str) -> None:
    """A line on standard error, above a progress bar; characters that would steer a terminal are spelled out."""
    from maskkit.core import progress

    spelled = "".join(x if x.isprintable() else x.encode("unicode_escape", "surrogatepass").decode() for x in text)
    progress.print_above_bars(spelled)
