"""sweep.html: the settings of a sweep, the best and those as good within noise marked; what broke, by name."""

from pathlib import Path
from typing import Any

from maskkit import __version__, evaluate, plots, runs
from maskkit.core import disk
from maskkit.html.markup import read_figure
from maskkit.html.render import render
from maskkit.sweep import figures
from maskkit.sweep.ranking import Ranking, Setting
from maskkit.sweep.state import Sweep


def write(sweep: Sweep, rankings: list[Ranking], made: list[str]) -> Path:
    """Write the figures and sweep.html of a `sweep.Sweep`.

    Args:
        rankings: of `ranking.rank`. made: names of the runs that went through the notebooks.

    Returns:
        the page's path.
    """
    html = render(
        "sweep.html",
        sweep=sweep,
        comparisons=[comparison(sweep.folder, place, ranking) for place, ranking in enumerate(rankings)],
        made=made,
        broken=[(key, sweep.rows[key]["error"]) for key in sweep.of("broken")],
        version=__version__,
        now=runs.now(),
    )
    path = sweep.folder / "sweep.html"
    disk.write_text(path, html)
    return path


def comparison(folder: Path, place: int, ranking: Ranking) -> dict[str, Any]:
    """The settings compared on one set of photos, and their figure, which is drawn here."""
    name = f"settings_{place + 1}" if place else "settings"
    plots.save(figures.settings(ranking), folder, name)
    best = ranking.settings[0]
    return {
        "photos": ranking.photos,
        "n": len(ranking.settings),
        "best": best.words,
        "score": evaluate.format_score(best.score),
        "as_good": sum(setting.noise for setting in ranking.settings) - 1,
        "figure": read_figure(folder / "figures" / f"{name}.png"),
        "names": list(best.differs) or ["setting"],
        "settings": [row(setting) for setting in ranking.settings],
    }


def row(setting: Setting) -> dict[str, Any]:
    """A setting as the table shows it."""
    verdict = "best" if setting.gap is None else "as good" if setting.noise else "behind"
    gap = setting.gap[0] if setting.gap else None
    return {
        "differs": list(setting.differs.values()) or ["the only one"],
        "verdict": verdict,
        "score": setting.score,
        "gap": "-" if gap is None else f"{0 - 100 * gap:.1f} points",
        "n_seeds": len(setting.seeds),
        "key": setting.keys[0],
    }
