"""audit.html: the audit on a page of its own."""

from pathlib import Path
from typing import Any

from maskkit.core import disk
from maskkit.core.audit_file import Audit
from maskkit.html import checks
from maskkit.html.render import render


def write(audit: Audit, folder: Path) -> Path:
    """Write <folder>/audit.html.

    Args:
        audit: audit.json's content; folder: holds figures/trust_<name>.png where they were drawn.

    Returns:
        the page's path.
    """
    html = render(
        "audit.html",
        content=audit,
        audit=checks.context(audit, folder, audit["run"]["name"]),
        synthetic=audit["source"] == "demo" and not checks.shows_other_photos(folder),
        made=made(audit),
    )
    path = Path(folder) / "audit.html"
    disk.write_text(path, html)
    return path


def made(audit: dict[str, Any]) -> list[tuple[str, object]]:
    """(what, value) of how the audit was made: networks, recipe, run, versions, durations."""
    rows: list[tuple[str, object]] = []
    for arch, network in audit["networks"].items():
        weights = f"weights: {network['weights'] or 'none'}"
        rows.append((arch, "; ".join(filter(None, (weights, network["note"])))))
    for part in ("recipe", "run", "versions"):
        rows += [(name.replace("_", " "), value) for name, value in audit[part].items()]
    rows += [(f"time for {step.replace('_', ' ')}", f"{n:.1f} s") for step, n in audit["seconds"].items()]
    return rows
