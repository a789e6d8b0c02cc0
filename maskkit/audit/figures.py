"""One function per figure of the audit: each takes audit.json's dict (and images where said) and returns a Figure.

As in `plots`: nothing is shown, saved, seeded or changed globally. What was not measured is said in words, never
drawn. A light, a class, a kind is told apart by shape and word as well as by colour.
"""

import functools
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from maskkit.core.intervals import wilson
from maskkit.plot_style import (
    ACCENT,
    GREY,
    INK,
    LINE,
    STYLE,
    figure,
    heading,
    label,
    of_classes,
    percent,
    picture,
    plural,
    ranges,
    styled,
    tiles,
    tint,
    verdict,
)
from maskkit.plots import crosstab, tabulate

RED, BROWN = "#8c1d3f", "#8a5a00"  # the second: the report's line, as in `plots.scores`
SIGNS = {  # sign, marker, colour, ink of the sign, hatch of its zone
    "green": ("✓", "o", "#00795a", "white", ""),
    "amber": ("!", "^", "#e09b12", INK, "////"),
    "red": ("✗", "8", "#b3261e", "white", "xxxx"),
    "unknown": ("?", "s", "#ffffff", GREY, ""),
}
LIGHT_OF = {
    "splits": "split_luck",
    "leaks": "leaks",
    "shortcuts": "shortcuts",
    "regions": "mouth",
    "against": "other_source",
    "calibration": "calibration",
}
DETECTORS = {
    "sha256": "the same bytes\n(SHA-256)",
    "perceptual_hash": "the same picture\n(perceptual hash)",
    "alignment": "one laid on the\nother (aligned)",
    "all": "all detectors\ntogether",
}
KINDS = {  # words, look
    "guess": ("guess: the most frequent class", (GREY, "v", "")),
    "blind": ("blind: never sees the face", (RED, "X", "")),
    "weak": ("weak: sees little of the photo", ("#7a5c00", "s", "")),
    "real": ("real: sees the whole photo", (ACCENT, "o", "")),
}
REGIONS = {"whole": "nothing", "lower_half": "lower half", "upper_half": "upper half", "background": "background"}
FILLS = {"": ("", (INK, "d", "")), "blur": ("blurred", (ACCENT, "o", "")), "mean": ("mean colour", (RED, "s", ""))}
MAPS = "cividis"  # perceptually even, and the same to colour-blind eyes
MAX_ODD = 24
MATRIX, SHOWN = 15, 12  # classes in each of two confusion matrices side by side; of more, the most confused


# --- the figures --------------------------------------------------------------------------------


@styled
def lights(audit):
    """The six lights: sign, title, sentence, and the value with its interval between the light's two thresholds."""
    entries, width, foot = list(audit["lights"].values()), 11, 1.0
    texts = [wrap(entry["sentence"] if known(entry) else reason(entry), 4.75, 9.5) for entry in entries]
    heights = [max(0.98, 0.68 + 0.165 * (1 + text.count("\n"))) for text in texts]
    height, whole = sum(heights) + foot, sum(heights) + foot + 0.62
    fig = plt.figure(figsize=(width, whole))
    track = fig.add_axes((6.2 / width, foot / whole, 3.3 / width, sum(heights) / whole))
    track.set(xlim=(0, 100), ylim=(foot, height), xticks=range(0, 101, 25), yticks=[])
    track.set_xlabel("value of the light (%)")
    track.grid(axis="x")
    track.spines["left"].set_visible(False)
    page = fig.add_axes((0, 0, 1, height / whole), xlim=(0, width), ylim=(0, height))
    page.set_axis_off()
    at, top = {"ha": "center", "va": "center", "weight": "bold"}, height
    for entry, text, tall in zip(entries, texts, heights, strict=True):
        sign, marker, colour, ink, _ = SIGNS[entry["light"]]
        page.plot((0.12, width - 0.12), (top, top), color=LINE, lw=0.8)
        page.plot(0.52, top - 0.38, marker, ms=27, color=colour, mec=ink if ink == GREY else colour, mew=1.6)
        page.text(0.52, top - (0.42 if marker == "^" else 0.385), sign, color=ink, fontsize=15, **at)
        page.text(0.52, top - 0.8, entry["light"], fontsize=9, **at)
        page.text(1.08, top - 0.31, wrap(entry["title"], 4.2, 12.5, 1), fontsize=12.5, **{**at, "ha": "left"})
        page.text(1.08, top - 0.5, text, fontsize=9.5, va="top", linespacing=1.25)
        middle = top - tall / 2 + 0.04
        if known(entry):
            strip(track, entry, middle)
            page.text(9.72, middle + 0.09, percent(entry["value"]), fontsize=13, weight="bold", va="center")
            page.text(9.72, middle - 0.13, between(entry), fontsize=9, color=GREY, va="center")
        else:
            track.add_patch(Rectangle((-1, top - tall), 102, tall, color="white", clip_on=False, zorder=2))
            page.text(6.2, middle, "not measured", color=GREY, style="italic", va="center")
        top -= tall
    look = {"marker": "D", "mec": "white", "ms": 6.5}
    fig.legend(
        handles=[
            *(zone(name, label=f"{name} zone") for name in list(SIGNS)[:3]),
            Line2D([], [], color=INK, lw=2, label="value, 95 % interval", **look),
        ],
        loc="lower left",
        bbox_to_anchor=(0.9 / width, 0.14 / whole),
        ncols=4,
        columnspacing=1.2,
    )
    shown = [entry["light"] for entry in entries]
    title = ", ".join(f"{shown.count(name)} {name}" for name in SIGNS if name in shown)
    heading(fig, f"How far the accuracy can be trusted: {title}", whose(audit))
    return fig


@styled
def splits(audit):
    """Per network: scores over many splits, last and best epoch, and the accuracy on the photos not drawn."""
    networks = sorted(audit["networks"], key=lambda arch: not known(audit["splits"].get(f"{arch}_last")))
    had = [arch for arch in networks if known(audit["splits"].get(f"{arch}_last"))]
    if not had and not (networks and audit["splits"]):
        return silent("Luck of the split", audit, "splits")
    ratios = [part for arch in networks for part in ((1.8, 2.2) if arch in had else (0.6,))]
    fig, grid = figure(9.5, sum(ratios) + 0.6 * len(had), len(ratios), 1, height_ratios=ratios)
    axes = iter(grid[:, 0])
    for arch in networks:
        last, best, reach, unseen, unseen_best = (
            find(audit, "splits", f"{arch}_{name}", arch) for name in ("last", "best", "reach", "unseen", "unseen_best")
        )
        if arch not in had:
            say(next(axes), f"{arch}: {reason(last)}", 6.2 if had else 9)
            continue
        upper, lower = next(axes), next(axes)
        n_val, n_splits = last["n_val"], last["n_splits"]
        edges = 100 * (np.arange(n_val + 2) - 0.5) / n_val
        share = 100 * np.asarray(last["distribution"]) / n_splits
        look = {"color": LINE, "edgecolor": GREY, "lw": 0.6, "clip_on": False}
        upper.bar(edges[:-1], share, np.diff(edges), align="edge", label="last epoch", **look)
        if known(best):
            share = 100 * np.asarray(best["distribution"]) / best["n_splits"]
            first = int(np.flatnonzero(share)[0])
            upper.stairs(share[first:], edges[first:], color=ACCENT, lw=2, label="best epoch", clip_on=False)
        goal = f"{100 * reach['report']:g} %" if known(reach) else "the report"
        for axis in (upper, lower) if known(reach) else ():
            line = {"color": BROWN, "lw": 1.4, "ls": (0, (5, 3)), "zorder": 1}
            axis.axvline(100 * reach["report"], label=f"the report's {goal}", **line)
        upper.set(xlim=(0, 100), xticks=range(0, 101, 10), xlabel="validation photos right (%)", ylabel="splits (%)")
        upper.set_title(f"{label(arch)}: {plural(n_splits, 'split')} with {plural(n_val, 'validation photo')}")
        upper.margins(y=0.08)
        upper.grid(axis="y")
        upper.legend(loc="upper left", frameon=True, edgecolor="none", framealpha=1)
        looks = [(INK, "d", ""), (ACCENT, "o", "")] * 2 + [(BROWN, "P", "")]
        words = [f"over {plural(n_splits, 'split')}"] * 2 + [None] * 2 + [f"of {plural(n_splits, 'split')}"]
        dots(lower, [last, best, unseen, unseen_best, reach], looks, 6.2, words)
        whats, epochs = ("mean of splits", "undrawn photos"), ("last", "best")
        names = [f"{what}, {epoch} epoch" for what in whats for epoch in epochs]
        lower.set_yticklabels([*names, f"best epoch reaches {goal}"])
        lower.axhline(3.5, color=LINE, lw=2.5, zorder=3.5)
        lower.set(xlabel="accuracy, last row share of splits (%)", ylabel="measure")
        flattery, ends = best.get("flattery"), best.get("flattery_interval")
        if flattery is not None:
            words = f"the best epoch promises {100 * flattery:.1f} points more than the photos not drawn keep"
            words += f" (95 % interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f})" if ends else ""
            lower.set_title(words, fontsize=10)
    heading(fig, "Luck of the split: the same recipe on other splits", whose(audit))
    return fig


@styled
def leaks(audit):
    """Per detector: photos with a partner, held-out photos with a sibling in training, and the pairs counted."""
    section = audit["leaks"]
    if not section:
        return silent("Leaks", audit, "leaks")
    names = ["sha256", "perceptual_hash", "alignment", "all"]
    fig, [[left, middle, table]] = figure(12.6, 3.4, 1, 3, width_ratios=(3, 3, 3.2), sharey=True)
    looks = [(ACCENT, marker, "") for marker in "os^"] + [(INK, "D", "")]
    found = [find(audit, "leaks", name) for name in names]
    held = find(audit, "leaks", "held_out")
    shares = held["by_detector"] if known(held) else {}
    siblings = [of(shares.get(name), held) for name in names[:3]]
    dots(left, found, looks, 3.5)
    left.set(xlabel="share of photos (%)", ylabel="what two photos share", title="photos with a partner")
    left.set_yticklabels([DETECTORS[name] for name in names])
    if known(held):
        dots(middle, [*siblings, held], looks, 3.5)
        middle.set(xlabel="share of held-out photos (%)", title="held-out photos with a sibling in training")
    else:
        say(middle, reason(held), 2.8)
    columns = {"pairs": "pairs", "pairs_across_parts": "across\nparts", "pairs_across_classes": "across\nclasses"}
    table.set(xlim=(-0.6, 3.4), title="pairs and groups")
    table.set_axis_off()
    for x, (key, words) in enumerate({**columns, "groups": "groups"}.items()):
        table.text(x + 0.3, -0.5, words, ha="right", va="bottom", fontsize=9, color=GREY)
        for y, entry in enumerate(found):
            number = entry.get(key) if known(entry) else None
            table.text(x + 0.3, y, "-" if number is None else f"{number:,}", ha="right", va="center", weight="bold")
    left.set_ylim(3.5, -0.95)
    for axis in (left, middle) if known(held) else (left,):
        axis.axhline(2.5, color=LINE, lw=1)
    where = f"held out: {label(held['held_out'], 48)} · " if known(held) else ""
    title = "photos that share what they show"
    if known(held):
        title = f"{percent(held['value'])} of the held-out photos have a sibling in training"
    heading(fig, f"Leaks: {title}", where + whose(audit))
    return fig


@styled
def shortcuts(audit):
    """Accuracy of what cannot or hardly see a mask, beside guessing and the audited network."""
    section = {name: entry for name, entry in audit["shortcuts"].items() if "kind" in entry}
    if not section:
        return silent("Shortcuts", audit, "shortcuts")
    rows, heads = [], {}
    for kind, (words, _) in KINDS.items():
        heads[len(rows)] = words
        found = [entry for entry in section.values() if entry["kind"] == kind]
        rows += [None, *(found or [lacking(audit, "shortcuts")])]
    looks = [KINDS[row.get("kind", "guess")][1] if row else None for row in rows]
    fig, [[axis]] = figure(10.5, 0.43 * len(rows) + 0.9, 1, 1)
    dots(axis, rows, looks, 6.2, size=8.5)
    axis.set(xlabel="accuracy (%)", ylim=(len(rows) - 0.4, -0.55), yticks=[])
    for y, row in enumerate(rows):
        if row is None:
            axis.axhspan(y - 0.36, y + 0.36, color="#eef1f4", lw=0, zorder=2)
            axis.text(1, y, heads[y], fontsize=9.5, weight="bold", va="center", zorder=3)
        else:
            beside(axis, y, fit(row.get("title", ""), 3.6, 10), fit(row.get("sees", ""), 3.6, 8.5))
    for name, style in (("guess", (0, (2, 2))), ("model", "-")):
        if known(section.get(name)):
            colour = KINDS[section[name]["kind"]][1][0]
            axis.axvline(100 * section[name]["value"], color=colour, lw=1.3, ls=style, zorder=1.5)
    where = sorted({entry["measured_on"] for entry in section.values() if entry.get("measured_on")})
    below = f"measured on {label(', '.join(where), 40)} · " if where else ""
    heading(fig, "Shortcuts: how far one gets without seeing a mask", below + whose(audit))
    return fig


@styled
def regions(audit):
    """Per network: accuracy with a region hidden, by blur and by mean colour; below, what the mouth is worth."""
    if not audit["regions"]:
        return silent("Hidden regions", audit, "regions")
    keys = [("whole", "")] + [(hidden, fill) for hidden in list(REGIONS)[1:] for fill in ("blur", "mean")]
    names = [", ".join(filter(None, (f"{REGIONS[hidden]} hidden", FILLS[fill][0]))) for hidden, fill in keys]
    looks = [FILLS[fill][1] for _, fill in keys] + [(BROWN, "P", "")]
    networks = sorted(audit["networks"], key=lambda arch: not known(audit["regions"].get(f"{arch}_whole")))
    fig, grid = figure(3.2 + 4.4 * len(networks), 4.6, 1, len(networks), sharey=True)
    for axis, arch in zip(grid[0], networks, strict=True):
        found = [find(audit, "regions", "_".join(filter(None, (arch, *key))), arch) for key in keys]
        found.append(find(audit, "regions", f"{arch}_mouth", arch))
        axis.set_title(label(arch))
        if not any(map(known, found)):
            say(axis, reason(found[0]), 3.2)
            continue
        dots(axis, found, looks, 4)
        guess = audit["shortcuts"].get("guess")
        if known(guess):
            axis.plot([100 * guess["value"]] * 2, (-0.5, 6.5), color=GREY, lw=1.3, ls=(0, (2, 2)), zorder=1)
            axis.text(100 * guess["value"] - 1.5, -0.62, "guessing", color=GREY, fontsize=9, ha="right", va="center")
        for y in (0.5, 2.5, 4.5, 6.5):
            axis.axhline(y, color=LINE, lw=1 if y < 6 else 2.5)
        axis.set(xlabel="accuracy, last row share of photos (%)", ylim=(7.5, -0.95))
        axis.set_yticklabels([*names, "lower half matters\nmore than upper half"])
    grid[0, 0].set_ylabel("what is hidden")
    heading(fig, "Hidden regions: what the network needs to see", whose(audit))
    return fig


@styled
def region_examples(images):
    """One photo in all its hidden versions.

    Args:
        images: {hidden: {fill, or "" for the whole photo: PIL image}}.
    """
    cells = [(hidden, fill, image) for hidden, fills in images.items() for fill, image in fills.items()]
    fig, grid = figure(max(7, 1.75 * len(cells)), 2.3, 1, max(1, len(cells)))
    for axis, (hidden, fill, image) in zip(grid[0], cells, strict=False):
        picture(axis, image, FILLS.get(fill, FILLS[""])[1][0], 1.4)
        axis.set_xlabel(fit(f"{REGIONS.get(hidden, hidden)} hidden", 1.6, 9), fontsize=9, labelpad=4)
        axis.set_title(fit(FILLS.get(fill, (fill,))[0] or "as it is", 1.6, 9), fontsize=9, loc="center", color=GREY)
    if not cells:
        say(grid[0, 0], "There is no photo to show.", 6)
    below = f"1 photo in {plural(len(cells), 'version')}, as the network gets it"
    heading(fig, "One photo, and what is hidden of it", below)
    return fig


@styled
def maps(images, maps, labels, probabilities, classes, photos):
    """Rows of photos: the photo with its verdict, then each map laid over it, scaled from its least to its most.

    Args:
        images: PIL images (n) as the network sees them; maps: {column title: float (n, h, w), larger mattered more};
            labels: int (n,); probabilities: float (n, C); classes: C names; photos: for the title.
    """
    n, titles = len(images), list(maps)
    fig, grid = figure(max(7, 2.15 * (len(titles) + 1) + 0.9), max(0.6, 2.3 * n), max(1, n), len(titles) + 1)
    for axis in grid.flat:
        axis.set_axis_off()
    if not n:
        grid[0, 0].text(0, 0.5, "There is no photo to show.", fontsize=11, va="center")
    drawn = None
    for i, (row, image) in enumerate(zip(grid, images, strict=False)):
        verdict(row[0], image, labels[i], np.asarray(probabilities[i]), classes)
        for axis, title in zip(row[1:], titles, strict=True):
            values = np.asarray(maps[title][i], dtype=float)
            picture(axis, image.convert("L"), GREY, 0.8)
            low, high = (values.min(), values.max()) if np.isfinite(values).all() else (0, 0)
            if high > low:
                over = {"extent": axis.images[0].get_extent(), "interpolation": "bilinear", "alpha": 0.6}
                drawn = axis.imshow((values - low) / (high - low), cmap=MAPS, vmin=0, vmax=1, **over)
            words = f"{low:.2g} to {high:.2g}" if high > low else "no map: the same everywhere"
            axis.set_xlabel(words, fontsize=8.5, color=GREY, labelpad=4)
    for axis, title in zip(grid[0], ["photo", *titles], strict=True):
        axis.set_title(wrap(title, 1.95, 10, lines=2) if n else "", fontsize=10, loc="center")
    if drawn is not None:
        bar = fig.colorbar(drawn, ax=grid, shrink=min(1, 2.6 / (2.3 * n)), aspect=22, ticks=(0, 0.5, 1))
        bar.set_label("importance within a map\n(0 least, 1 most)", fontsize=9)
        bar.outline.set_visible(False)
    below = f"{plural(n, 'photo')} · below each map the range of its values · {label(photos, 48)}"
    heading(fig, "Where the network looks", below)
    return fig


@styled
def against(audit):
    """Trained here and measured there, and the reverse: balanced accuracy, own accuracy, both confusion matrices."""
    if not audit["against"]:
        return silent("Another source", audit, "against")
    ways = {"forward": "trained here,\nmeasured there", "backward": "trained there,\nmeasured here"}
    found, classes = [find(audit, "against", way) for way in ways], audit["classes"]
    tables = [tabulate(entry["confusion"], classes, MATRIX, SHOWN, 4.5) if known(entry) else None for entry in found]
    slanted = len(classes) > 2 and sum(len(name) for name in classes) > 24
    side = max([2.6] + [table.cell * len(table.names) + 0.9 for table in tables if table])
    fig, grid = figure(max(9.5, 2 * side + 4.8), side + 3 + slanted, 2, 2, height_ratios=(1.7, side + 0.5 + slanted))
    top, looks = spanning(fig, grid, np.s_[0, :]), [(ACCENT, "o", ""), (RED, "s", "")]
    owns = [entry.get("own") if known(entry) else None for entry in found]
    dots(top, found, looks, 5)
    top.set_yticklabels(ways.values())
    top.set(xlabel="balanced accuracy (%)", ylabel="direction", ylim=(1.6, -0.8))
    shown = [(y, 100 * own) for y, own in enumerate(owns) if own is not None]
    for y, own in shown:
        line = {"color": INK, "lw": 2, "ls": (0, (2, 1)), "clip_on": False}
        top.plot((own, own), (y - 0.3, y + 0.3), label="own: where it was trained", **line)
        top.text(own, y - 0.34, f"own {own:.1f} %", fontsize=9, ha="right" if own > 50 else "left", va="bottom")
    if shown:
        top.legend(*([part[0]] for part in top.get_legend_handles_labels()), loc="lower left", bbox_to_anchor=(0, 0.98))
    for axis, entry, table, words in zip(grid[1], found, tables, ways.values(), strict=True):
        if table:
            crosstab(axis, table, slanted or len(classes) > 3)
            axis.set_title(f"{words.replace(chr(10), ' ')}: {plural(int(np.sum(entry['confusion'])), 'photo')}")
        else:
            say(axis, reason(entry), 3.4)
    folder = next((f"there: {label(entry['folder'], 40)} · " for entry in found if entry.get("folder")), "")
    n_shown = min((table.n_shown for table in tables if table), default=len(classes))
    few = "each matrix: the classes in most mistakes · " if n_shown < len(classes) else ""
    title = "Another source: does it hold elsewhere?" + of_classes(n_shown, classes, " ")
    heading(fig, title, folder + few + whose(audit))
    return fig


@styled
def odd_files(images, files, problems, photos):
    """A contact sheet of at most 24 odd photos, each with its problem and its name.

    Args:
        images: PIL images (n), None for a file that cannot be decoded; files, problems: n texts; photos: for the title.
    """
    n = min(len(files), MAX_ODD)
    fig, cells = tiles(n, caption_lines=3)
    for axis, image, file, problem in zip(cells, images, files, problems, strict=False):
        if image is None:
            axis.set_axis_on()
            axis.set(xticks=[], yticks=[], box_aspect=1)
            axis.spines[:].set(visible=True, color=GREY, linestyle=(0, (3, 1.5)))
            axis.text(0.5, 0.5, "cannot be\ndecoded", ha="center", va="center", color=GREY, transform=axis.transAxes)
        else:
            picture(axis, image, GREY)
        caption = f"{wrap(problem, 1.75, 9, 2)}\n{fit(Path(file).name, 1.75, 9)}"
        axis.set_xlabel(caption, fontsize=9, labelpad=4, linespacing=1.3)
    if not n:
        fig.text(0.04, 0.3, "No odd file was found.", fontsize=11)
    more = f", {len(files) - n} more not shown" if len(files) > n else ""
    heading(fig, plural(len(files), "odd file") + more, label(photos, 48))
    return fig


@styled
def calibration(audit):
    """Reliability before and after temperature scaling; what "don't know" costs and saves, over its threshold."""
    before, after, refuse = (find(audit, "calibration", name) for name in ("ece", "ece_scaled", "dont_know"))
    if not (known(before) or known(after) or known(refuse)):
        return silent("Calibration", audit, "calibration", before)
    fig, grid = figure(11, 5.4, 2, 2, width_ratios=(1, 1.1))
    left = spanning(fig, grid, np.s_[:, 0])
    left.plot((0, 100), (0, 100), color=GREY, lw=1.2, ls=(0, (4, 3)), zorder=1, label="as often right as it is sure")
    scaled = f"temperature {after['temperature']:.2f}" if after.get("temperature") else "with a temperature"
    for entry, words, colour, more in (
        (before, "as trained", RED, {"marker": "s", "mfc": "white", "ls": (0, (1, 1.5))}),
        (after, scaled, ACCENT, {"marker": "o", "ls": "-"}),
    ):
        bins = [row for row in entry["bins"] if row["n"]] if known(entry) else []
        if not bins:
            left.plot([], [], " ", label=wrap(f"{words}: {reason(entry)}", 4, 9.5))
            continue
        x, y = (100 * np.array([row[key] for row in bins]) for key in ("confidence", "accuracy"))
        ends = 100 * np.array([row["interval"] or wilson(round(row["accuracy"] * row["n"]), row["n"]) for row in bins])
        left.vlines(x, *ends.T, color=colour, lw=3.5, alpha=0.3)
        error = f"{words}: off by {100 * entry['value']:.1f} points on average ({between(entry)[:-2]})"
        left.plot(x, y, color=colour, ms=6, lw=1.4, clip_on=False, label=error, **more)
    left.set(xlim=(0, 100), ylim=(0, 100), xlabel="how sure the network is (%)", ylabel="how often it is right (%)")
    left.set_title("sureness and truth, 95 % intervals")
    left.grid()
    left.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.13))  # below: the dots may lie anywhere
    if any(row["n"] for row in refuse.get("curve", ())):
        unsure(grid[:, 1], refuse)
    else:
        say(spanning(fig, grid, np.s_[:, 1]), reason(refuse), 4.6)
    heading(fig, "Calibration: does it know when it does not know?", whose(audit))
    return fig


# --- what they share ----------------------------------------------------------------------------


def unsure(axes, entry):
    """Share answered and error rate among those answered against the threshold, each with its interval."""
    rows, at = [row for row in entry["curve"] if row["n"]], entry["threshold"]
    total = round(max(row["n"] / row["answered"] for row in rows))
    rows = [row for row in rows if row["threshold"] >= 0.5] or rows
    x, wrong = [100 * row["threshold"] for row in rows], [round(row["error"] * row["n"]) for row in rows]
    answered = [wilson(row["n"], total) for row in rows]
    errors = [row.get("interval") or wilson(k, row["n"]) for k, row in zip(wrong, rows, strict=True)]
    for axis, key, ends in ((axes[0], "answered", answered), (axes[1], "error", errors)):
        axis.fill_between(x, *100 * np.array(ends).T, color=ACCENT, alpha=0.18, lw=0)
        axis.plot(x, [100 * row[key] for row in rows], color=ACCENT)
        if at is not None:
            axis.axvline(100 * at, color=INK, lw=1.3, ls=(0, (4, 3)))
        axis.set(xlabel="least sureness to answer (%)", xlim=(min(x[0], 50), 100))
        axis.grid(axis="y")
    top = min(100, max(5, 5 * math.ceil(20 * max(high for _, high in errors))))
    axes[0].set(ylim=(0, 100), ylabel="answered (%)", title=wrap(reason(entry), 4.6, 11, 2))
    axes[1].set(ylim=(0, top), ylabel="wrong (%)" if top == 100 else f"wrong (%), axis to {top} %")
    axes[1].set_title("error rate among those answered")
    if known(entry):
        axes[0].set_title(f"from {100 * at:g} % on it answers {percent(entry['answered'])} of the photos,")
        axes[1].set_title(f"and is wrong in {percent(entry['value'])} ({between(entry)}) of these")


def strip(axis, entry, y):
    """A light's three zones from 0 to 100 %, its two thresholds, and its value with the interval."""
    good, bad = 100 * entry["thresholds"]["green"], 100 * entry["thresholds"]["red"]
    low, high = np.clip(sorted((good, bad)), 0, 100)
    names = ("green", "amber", "red") if good < bad else ("red", "amber", "green")
    for name, start, end in zip(names, (0, low, high), (low, high, 100), strict=True):
        axis.add_patch(zone(name, xy=(start, y - 0.12), width=end - start, height=0.24))
    for at, side, pad in ((low, "right", 0.5), (high, "left", -0.5)):
        axis.plot((at, at), (y - 0.17, y + 0.17), color=INK, lw=1.1, zorder=3)
        axis.text(at + pad, y - 0.19, f"{at:.3g} %", ha=side, va="top", fontsize=8, color=GREY)
    if entry["interval"] is not None:
        ends = np.clip(100 * np.array(entry["interval"]), 0, 100)
        axis.plot(ends, (y, y), color=INK, lw=2.4, marker="|", ms=9, mew=1.6, clip_on=False, zorder=4)
    look = {"color": INK, "mec": "white", "mew": 0.8, "ms": 6.5, "clip_on": False}
    axis.plot(np.clip(100 * entry["value"], 0, 100), y, "D", zorder=5, **look)


def zone(name, xy=(0, 0), width=1, height=1, **more):
    """A light's patch: a tint of its colour, and a hatch for who cannot tell colours apart."""
    _, _, colour, _, hatch = SIGNS[name]
    pale = [(2 + part) / 3 for part in tint(colour)]
    return Rectangle(xy, width, height, facecolor=pale, edgecolor=tint(colour), hatch=hatch, lw=0.6, **more)


def dots(axis, entries, looks, inches, words=None, size=9):
    """A row per entry: value, interval and count, or why it is unknown; None leaves its row empty."""
    rows = []
    for y, (entry, look, word) in enumerate(zip(entries, looks, words or [None] * len(looks), strict=True)):
        if known(entry):
            text = f"{percent(entry['value'])} {word or 'of ' + plural(entry['n'], 'photo')}"
            rows.append((entry["value"], entry["interval"], text, look))
            continue
        rows.append((None, None, "", (INK, "o", "")))
        if entry is not None:
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            text = wrap(reason(entry), inches, size, lines=2)
            axis.text(1, y, text, fontsize=size, color=GREY, style="italic", va="center", zorder=3, bbox=paper)
    ranges(axis, rows)
    axis.set(yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5))
    axis.tick_params(axis="y", length=0, pad=8)


def beside(axis, y, above, below):
    """A row's name left of the axis, and in small letters what it is."""
    at = {"xycoords": axis.get_yaxis_transform(), "textcoords": "offset points", "ha": "right"}
    axis.annotate(above, (0, y), (-8, 1), va="bottom" if below else "center", **at)
    axis.annotate(below, (0, y), (-8, 0), va="top", fontsize=8.5, color=GREY, **at)


def say(axis, text, inches):
    """Words in place of an axis."""
    axis.set_axis_off()
    axis.text(0, 0.5, wrap(text, inches, 10), transform=axis.transAxes, va="center", color=GREY, style="italic")


def silent(title, audit, section, entry=None):
    """The figure of a section that was not measured: its reason in words."""
    fig, [[axis]] = figure(8, 0.8, 1, 1)
    say(axis, reason(entry or lacking(audit, section)), 7.4)
    heading(fig, title, whose(audit))
    return fig


def spanning(fig, grid, cells):
    """One axis in place of several of a grid."""
    spec = grid[0, 0].get_gridspec()[cells]
    for axis in grid[cells]:
        axis.remove()
    axis = fig.add_subplot(spec)
    axis.tick_params(labelsize=STYLE["font.size"])
    return axis


def known(entry):
    """Whether an entry holds a value that can be drawn."""
    return entry is not None and entry.get("value") is not None and math.isfinite(entry["value"])


def find(audit, section, key, arch=None):
    """An entry, or in its place one that says why it is missing."""
    return audit[section].get(key) or lacking(audit, section, arch)


def lacking(audit, section, arch=None):
    """An unknown entry whose sentence is the network's note or the light's reason."""
    light, network = audit["lights"][LIGHT_OF[section]], audit["networks"].get(arch, {})
    sentence = "not measured yet: make trust" if audit["scope"] == "instant" else ""
    sentence = light["sentence"] if light["light"] == "unknown" else sentence
    if arch and not network.get("weights"):
        sentence = network.get("note") or sentence
    return {"value": None, "interval": None, "n": 0, "light": "unknown", "sentence": sentence}


def of(share, whole):
    """A share of a whole entry's n as an entry with its Wilson interval."""
    if share is None:
        return {**whole, "value": None, "sentence": ""}
    return {**whole, "value": share, "interval": wilson(round(share * whole["n"]), whole["n"])}


def reason(entry):
    """'not measured: <why>' of an unknown entry."""
    sentence = (entry["sentence"] or "").removeprefix("unknown: ").removeprefix("undefined: ")
    if sentence.startswith("not measured"):
        return sentence
    return f"not measured: {sentence}" if sentence else "not measured"


def between(entry):
    """An entry's interval in words."""
    if entry["interval"] is None:
        return "no interval"
    return "-".join(f"{100 * end:.1f}" for end in entry["interval"]) + " %"


def whose(audit):
    """Which photos, how many, which network: the line below each heading."""
    model = f"{label(audit['arch'])}, {label(audit['model'], 40)}"
    return f"{plural(audit['n'], 'photo')} · {model} · {label(audit['photos'], 48)}"


@functools.lru_cache(4096)
def inches_of(text, size):
    """How wide a text of one line is, in inches."""
    font = FontProperties(family="DejaVu Sans", size=size)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] / 72


def wrap(text, inches, size, lines=9):
    """A text broken into lines of at most so many inches, words too long for one too; `…` where it goes on."""
    rows = [""]
    for word in clean(" ".join(str(text).split())).split(" "):
        if rows[-1] and inches_of(f"{rows[-1]} {word}", size) > inches:
            rows.append("")
        rows[-1] += (" " if rows[-1] else "") + word
        while inches_of(rows[-1], size) > inches:
            word, cut = rows[-1], len(rows[-1]) - 1
            while cut > 1 and inches_of(word[:cut], size) > inches:
                cut -= 1
            rows[-1:] = [word[:cut], word[cut:]]
    if len(rows) > lines:
        rows[lines - 1 :] = [rows[lines - 1][:-1] + "…"]
    return "\n".join(label(row, len(row)) for row in rows)


def fit(text, inches, size):
    """A name of one line, cut in its middle until it fits."""
    text = " ".join(str(text).split())
    lengths = (k for k in range(min(len(text), 99), 3, -1) if inches_of(clean(label(text, k)), size) <= inches)
    return label(text, next(lengths, 3))


def clean(text):
    """A text as our font draws it, its dollars plain."""
    return label(text, len(text)).replace(r"\$", "$")
