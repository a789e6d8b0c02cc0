"""The figure of a sweep; as in `plots`, each function takes data and returns a Figure."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maskkit.core.messages import plural
from maskkit.plot_style import ACCENT, GREY, LINE, figure, heading, label, styled
from maskkit.sweep.ranking import Ranking

SHOWN = 24  # settings in the figure; the page's table and runs.csv have all


@styled
def settings(ranking: Ranking) -> Figure:
    """The accuracy of each setting's last epoch with its 95 % interval, the best on top.

    Filled: as good as the best within noise; hollow: behind it.
    """
    shown = ranking.settings[:SHOWN]
    fig, [[axis]] = figure(9.6, 0.36 * len(shown) + 1.1, 1, 1)
    for y, setting in enumerate(shown):
        middle, (low, high) = 100 * setting.score["accuracy"], (100 * end for end in setting.score["interval"])
        colour = ACCENT if setting.noise else GREY
        axis.hlines(y, low, high, color=colour, lw=2.2, ls="-" if setting.noise else (0, (2, 1.2)))
        axis.plot(
            middle, y, "o" if setting.noise else "s", color=colour, mfc=colour if setting.noise else "white", ms=7
        )
    axis.set(yticks=range(len(shown)), ylim=(len(shown) - 0.5, -0.5), ylabel="setting")
    axis.set_yticklabels([label(setting.name, 52) for setting in shown], fontsize=9)
    axis.set_xlabel("right in the last epoch, % of validation photos, all seeds together")
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color=LINE)
    handles = [
        Line2D([], [], color=ACCENT, marker="o", ms=7, label="the best, and what may be as good"),
        Line2D([], [], color=GREY, marker="s", mfc="white", ms=7, ls=(0, (2, 1.2)), label="behind the best"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=2)
    seeds = {len(setting.seeds) for setting in shown}
    n_seeds = plural(seeds.pop(), "seed") if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)} seeds"
    below = f"{n_seeds} each, 95 % intervals for photos that come in groups · {label(ranking.photos, 60)}"
    most = f" (the best {SHOWN} of {len(ranking.settings)})" if len(ranking.settings) > SHOWN else ""
    heading(fig, f"What each setting reaches{most}", below)
    return fig
