"""sweep.html: the settings of a sweep, the best and those as good within noise marked; what broke, by name."""

from pathlib import Path
from typing import Any

from maskkit import __version__, evaluate, plots, runs
from maskkit.core import disk
from maskkit.html.markup import read_figure
from maskkit.html.render import render
from maskkit.sweep import figures


def write(sweep: Any, exams: list[Any], made: list[str]) -> Path:
    """Write the figures and sweep.html of a `sweep.Sweep`.

    Args:
        exams: of `ranking.rank`. made: names of the runs that went through the notebooks.

    Returns:
        the page's path.
    """
    html = render(
        "sweep.html",
        sweep=sweep,
        comparisons=[comparison(sweep.folder, place, exam) for place, exam in enumerate(exams)],
        made=made,
        broken=[(key, sweep.rows[key]["error"]) for key in sweep.of("broken")],
        version=__version__,
        now=runs.now(),
    )
    path = sweep.folder / "sweep.html"
    disk.write_text(path, html)
    return path


def comparison(folder: Path, place: int, exam: Any) -> dict[str, Any]:
    """The settings compared on one set of photos, and their figure, which is drawn here."""
    name = f"settings_{place + 1}" if place else "settings"
    plots.save(figures.settings(exam), folder, name)
    best = exam.settings[0]
    return {
        "photos": exam.photos,
        "n": len(exam.settings),
        "best": best.words,
        "score": evaluate.say(best.score),
        "as_good": sum(setting.noise for setting in exam.settings) - 1,
        "figure": read_figure(folder / "figures" / f"{name}.png"),
        "names": list(best.differs) or ["setting"],
        "settings": [row(setting) for setting in exam.settings],
    }


def row(setting: Any) -> dict[str, Any]:
    """A setting as the table shows it."""
    verdict = "best" if setting.gap is None else "as good" if setting.noise else "behind"
    has_gap = setting.gap is not None and setting.gap[0] is not None
    return {
        "differs": list(setting.differs.values()) or ["the only one"],
        "verdict": verdict,
        "score": setting.score,
        "gap": f"{0 - 100 * setting.gap[0]:.1f} points" if has_gap else "-",
        "n_seeds": len(setting.seeds),
        "key": setting.keys[0],
    }
