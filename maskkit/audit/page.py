"""audit.html: the audit on a page of its own."""

from pathlib import Path
from typing import Any

from maskkit.core import disk
from maskkit.core.audit_file import Audit
from maskkit.html import checks
from maskkit.html.render import render


def write(audit: Audit | None, folder: Path) -> Path:
    """Write <folder>/audit.html.

    Args:
        audit: audit.json's content, or None where nothing was measured; folder: holds figures/trust_<name>.png where
            they were drawn.

    Returns:
        the page's path.
    """
    folder = Path(folder)
    metrics = disk.read_json(folder / "metrics.json") if (folder / "metrics.json").exists() else {}
    content = audit or {}
    source = content.get("source", metrics.get("source"))
    run = (metrics.get("run", {}) | content.get("run", {})).get("name")
    html = render(
        "audit.html",
        content=content,
        audit=checks.context(audit, folder, run),
        photos=content.get("photos", "these photos"),
        synthetic=source == "demo" and not checks.shows_other_photos(folder),
        made=made(content),
    )
    path = folder / "audit.html"
    disk.write_text(path, html)
    return path


def made(audit: dict[str, Any]) -> list[tuple[str, object]]:
    """(what, value) of how the audit was made: networks, recipe, run, versions, durations."""
    rows: list[tuple[str, object]] = []
    for arch, network in audit.get("networks", {}).items():
        weights = f"weights: {network.get('weights') or 'none'}"
        rows.append((arch, "; ".join(filter(None, (weights, network.get("note"))))))
    for part in ("recipe", "run", "versions"):
        rows += [(name.replace("_", " "), value) for name, value in (audit.get(part) or {}).items()]
    seconds = (audit.get("seconds") or {}).items()
    rows += [(f"time for {step.replace('_', ' ')}", f"{n:.1f} s") for step, n in seconds if isinstance(n, int | float)]
    return rows
