"""One function per figure of notebook 04: each takes arrays and returns a Figure, as in `plots`."""

from matplotlib.patches import Patch

from maskkit import compare
from maskkit.plots import class_looks, figure, heading, label, plural, styled, tint


@styled
def speeds(rows):
    """Latency of one photo and throughput of each engine, a bar per network.

    Args:
        rows: as of `compare.networks`; what could not be measured is said in words.
    """
    engines = [name for name in compare.ENGINES if any(name in row["speed"] for row in rows)]
    batches = list(rows[0]["speed"]["eager"])
    looks = class_looks([row["arch"] for row in rows])
    height = 0.2 * len(engines) * len(batches) * (len(rows) + 0.8) + 1.3
    fig, [[left, right]] = figure(11, height, 1, 2)
    bars(left, rows, looks, [(engine, "1") for engine in engines], "p50_ms")
    bars(right, rows, looks, [(engine, batch) for engine in engines for batch in batches], "photos_per_second")
    left.set(title="latency of one photo", xlabel="bar to p50, line to p95 (ms)", ylabel="engine, photos per pass")
    right.set(title="throughput", xlabel="photos per second")
    handles = [
        Patch(facecolor=tint(colour), edgecolor=colour, hatch=hatch, label=label(row["arch"]))
        for row, (colour, _, hatch) in zip(rows, looks, strict=True)
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(rows))
    setting = rows[0]["setting"]
    threads = plural(setting["threads"], "thread")
    heading(
        fig,
        f"Speed of {plural(len(rows), 'network')} on {label(setting['device'])}, {threads}",
        f"medians over {plural(setting['rounds'], 'interleaved round')} · {label(setting['processor'], 40)} · "
        f"{setting['size_px']} px · torch {setting['versions']['torch']}",
    )
    return fig


def bars(axis, rows, looks, groups, value):
    """A group of bars for each (engine, batch), one per network, its number beside it."""
    cells = {group: [row["speed"].get(group[0], {}).get(group[1]) for row in rows] for group in groups}
    most = max((max(cell[value], cell["p95_ms"] if value == "p50_ms" else 0)
                for group in cells.values() for cell in group if cell), default=1)  # fmt: skip
    step = len(rows) + 0.8
    for at, group in enumerate(groups):
        for y, (cell, (colour, _, hatch)) in enumerate(zip(cells[group], looks, strict=True)):
            place = {"y": at * step + y, "va": "center", "fontsize": 8.5}
            if cell is None:
                axis.text(0.01 * most, s="not measured", **place)
                continue
            axis.barh(place["y"], cell[value], 0.86, color=tint(colour), edgecolor=colour, hatch=hatch)
            end = cell[value]
            if value == "p50_ms":
                end = max(end, cell["p95_ms"])
                axis.plot((cell[value], end), (place["y"],) * 2, color=colour)
            axis.text(end + 0.015 * most, s=f"{cell[value]:.3g}", **place)
    axis.set(xlim=(0, 1.15 * most), ylim=(len(groups) * step - 0.8, -0.8))
    axis.set_yticks(
        [at * step + (len(rows) - 1) / 2 for at in range(len(groups))],
        [f"{compare.ENGINES[engine]}, {batch}" for engine, batch in groups],
    )
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
