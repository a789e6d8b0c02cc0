"""The audit's figures say what, of how many and which photos, draw nothing that was not measured, and fit."""

import copy
import json
import math
import random
import re
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import recorded_audit
from matplotlib.figure import Figure
from PIL import Image

from maskkit import plots
from maskkit.audit import figures, overview
from maskkit.audit.checks import (
    calibration,
    leaks,
    other_source,
    regions,
    shortcuts,
    split_variance,
)
from maskkit.audit.checks.files import draw_sheet
from maskkit.audit.entries import judge
from maskkit.core import intervals
from maskkit.core.messages import message, said
from maskkit.plot_style import label

REPORT = ("with_mask", "without_mask")
ODD = ("a $cost$ of x_1", "mask \N{FACE WITH MEDICAL MASK}", "long_" * 20)
DRAW = {
    "results": overview.draw,
    "splits": split_variance.draw,
    "leaks": leaks.draw,
    "shortcuts": shortcuts.draw,
    "regions": regions.draw,
    "against": other_source.draw,
    "calibration": calibration.draw,
}
FROM_AUDIT = tuple(DRAW)
FROM_IMAGES = ("region_examples", "maps", "odd_files")
WHY = "the weights of this network lie on a server that could not be reached, and no file was given with --weights"
PROBLEMS = ("undecodable", "black or flat", "the same bytes in two classes", "likely wrong label: without_mask")
LONG = "Of the photos held out, a $large$ share shows a scene that was trained on: what is measured there is memory. "


@pytest.fixture(autouse=True)
def close_figures():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing letter or a layout that does not fit is a warning of matplotlib
        yield
    plt.close("all")


def entry(value, n=960, result="pass", sentence="It holds.", **more):
    interval = list(intervals.wilson(round(value * n), n))
    return {"value": value, "interval": interval, "n": n, "result": result, "sentence": sentence, **more}


def unknown(sentence=WHY, **more):
    found = {"value": None, "interval": None, "n": 0, "result": "unknown"}
    return {**found, "sentence": sentence, "message": None, **more}


RESULTS = {  # values of a good set and of a bad one
    "split_variance": (0.031, 0.342),
    "leaks": (0.004, 0.81),
    "shortcuts": (0.541, 0.688),
    "mouth": (0.912, 0.43),
    "other_source": (0.947, 0.62),
    "calibration": (0.018, 0.064),
}


def set_results(audit, bad):
    """Other values for the results of the recorded audit."""
    for name, values in RESULTS.items():
        result, n = audit["results"][name], 300 if bad else 960
        changed = entry(values[bad], n, sentence=LONG * 2 if bad else "It holds.")
        limits = result["thresholds"]["pass"], result["thresholds"]["fail"]
        result |= changed | {"result": judge(changed["interval"], *limits)}
        result.pop("message", None)


def network(arch, skill):
    spread = np.exp(-0.5 * ((np.arange(41) - 40 * skill) / 1.2) ** 2)
    last = np.round(1000 * spread / spread.sum()).astype(int)
    best = np.roll(last, 1)
    best[0], best[40] = 0, best[40] + last[40]
    drawn = {"n_splits": 1000, "n_val": 40}
    found = {
        f"{arch}_last": entry(skill, 1000, distribution=last.tolist(), **drawn),
        f"{arch}_best": entry(min(1, skill + 0.02), 1000, distribution=best.tolist(), **drawn),
        f"{arch}_reach": entry(best[39:].sum() / 1000, 1000, report=0.975),
        f"{arch}_unseen": entry(skill - 0.01, 3592),
        f"{arch}_unseen_best": entry(skill - 0.006, 3592),
    }
    found[f"{arch}_best"].update(optimism=0.026, optimism_interval=[0.022, 0.031])
    return found


def hidden(arch, skill, drop):
    found = {f"{arch}_whole": entry(skill, arch=arch, hidden="whole", fill="")}
    for k, (region, fill) in enumerate(list(regions.HIDDEN)[1:]):
        found[f"{arch}_{region}_{fill}"] = entry(skill - drop / (1 + 3 * (k // 2)), arch=arch, hidden=region, fill=fill)
    return {**found, f"{arch}_mouth": entry(0.5 + drop, arch=arch)}


def sample(kind="good", classes=REPORT):
    """The recorded audit with two networks that were measured: "good", "bad", "unknown" (mostly) or "run"."""
    bad, archs = kind == "bad", ("resnet18", "mobilenet_v2")
    skill = 0.87 if bad else 0.965
    audit = recorded_audit() | {"photos": "Kaggle 12K", "classes": list(classes), "n": 3792, "arch": "resnet18"}
    audit |= {"scope": "run" if kind == "run" else "whole"}
    audit["networks"] = {arch: {"weights": "imagenet", "note": ""} for arch in archs}
    set_results(audit, bad)
    audit["splits"] = {name: found for arch in archs for name, found in network(arch, skill).items()}
    pairs = {"pairs": 1204, "pairs_across_parts": 312, "pairs_across_classes": 7, "groups": 640}
    share = {"sha256": 0.01 * bad, "perceptual_hash": 0.1 * bad, "alignment": 0.8 * bad}
    pairs = {name: n * bad for name, n in pairs.items()}
    audit["leaks"] = {d: entry(share[d], 3792, **pairs) for d in share}
    audit["leaks"]["all"] = entry(share["alignment"], 3792, **pairs)
    held = {"by_detector": share, "held_out": "Test and Validation"}
    audit["leaks"]["held_out"] = entry(share["alignment"], 1792, **held)
    audit["regions"] = {**hidden("resnet18", skill, 0.1 if bad else 0.35), **hidden("mobilenet_v2", skill, 0.3)}
    matrix = (np.eye(len(classes), dtype=int) * 150 + (90 if bad else 8)).tolist()
    value = matrix[0][0] / sum(matrix[0])
    more = {"folder": "other-masks", "confusion": matrix, "own": skill}
    forward, backward = entry(value, int(np.sum(matrix)), **more), entry(value - 0.03, 600, **more)
    audit["against"] = {"forward": forward, "backward": backward}
    if kind == "unknown":
        reasons = {"leaks": WHY, "shortcuts": WHY, "mouth": "stopped", "other_source": "--against names no folder"}
        for name, why in reasons.items():
            audit["results"][name].update(unknown(why))
        audit["networks"]["mobilenet_v2"] = {"weights": None, "note": WHY}
        audit["splits"] = {**network("resnet18", 0.9), "mobilenet_v2_last": unknown("its weights are not available")}
        audit["splits"]["resnet18_unseen"] = audit["splits"]["resnet18_unseen_best"] = unknown("every photo is drawn")
        audit["splits"]["resnet18_best"].update(optimism=None, optimism_interval=None)
        audit["leaks"]["held_out"] = unknown("this run has no held-out part")
        audit["shortcuts"]["metadata"] |= unknown()
        audit["shortcuts"]["model"] |= unknown()
        audit["regions"] = {key: row for key, row in audit["regions"].items() if "mobile" not in key}
        audit["regions"]["mobilenet_v2_whole"] = unknown("its weights are not available")
        audit["regions"]["resnet18_lower_half_mean"] = unknown("interrupted")
        audit["against"]["backward"] = unknown("the other folder has 3 photos")
        audit["calibration"]["dont_know"] |= unknown("no threshold brings the error to 1 %", threshold=None)
    if kind == "run":
        audit["results"]["other_source"].update(unknown("not measured yet: make trust"))
    return audit


def photo(i, width=90, height=120):
    rows, columns = np.mgrid[:height, :width]
    face = ((columns - width / 2) / (width / 3)) ** 2 + ((rows - height / 2) / (height / 2.6)) ** 2 < 1
    pixels = np.where(face[..., None], (222, 180, 150), (60 + 20 * (i % 6), 100, 140)).astype(np.uint8)
    pixels[int(height * 0.55) : int(height * 0.8), int(width * 0.28) : int(width * 0.72)] = (120, 170, 215)
    return Image.fromarray(pixels)


def draw(name, kind="good", classes=REPORT, photos="demo", n=3):
    if name in FROM_AUDIT:
        return DRAW[name]({**sample(kind, classes), "photos": photos})
    images = [photo(i, 90 + 30 * (i % 3)) for i in range(n)]
    if name == "region_examples":
        fills = {"blur": photo(1), "mean": photo(2)}
        hidden_parts = dict.fromkeys(("lower_half", "upper_half"), fills)
        exchanged = {"own": photo(1), "other": photo(2)}
        return regions.draw_examples({"whole": {"": photo(0)}, **hidden_parts, "surroundings": exchanged})
    if name == "maps":
        bump = np.array([np.exp(-((np.mgrid[:7, :7] - 3 - 0.3 * i) ** 2).sum(0) / 5) for i in range(n)])
        labels = np.arange(n) % len(classes)
        titles = [f"{arch}\n{way}" for arch in ("resnet18", "mobilenet_v2") for way in ("occlusion", "Grad-CAM")]
        probabilities = np.full((n, len(classes)), 0.1 / (len(classes) - 1))
        probabilities[:, 0] = 0.9
        found = {title: (k + 1) * 0.1 * bump - 0.02 for k, title in enumerate(titles)}
        return regions.draw_maps(images, found, labels, probabilities, classes, photos)
    files = [f"WithMask/{'M' * 30}{i}$_$.png" for i in range(n)]
    problems = [PROBLEMS[i % 4] for i in range(n)]
    images = [None if i % 4 == 0 else image for i, image in enumerate(images)]
    return draw_sheet(images, files, problems, photos)


def words(fig):
    """Every text of a figure that is drawn, in one."""
    shown = [text.get_text() for text in fig.findobj(plt.Text) if text.get_visible()]
    return " ".join(" ".join(shown).split())


def drawn(fig):
    """The axes that are shown."""
    return [axes for axes in fig.axes if axes.axison]


@pytest.mark.parametrize("name", FROM_AUDIT + FROM_IMAGES)
def test_figure_says_what_how_many_and_which_photos(name):
    fig = draw(name, photos="holiday snaps", n=4)
    below = " ".join(text.get_text() for text in fig.texts)
    assert isinstance(fig, Figure)
    assert fig.get_suptitle()
    if name != "region_examples":  # which photo, only its caller knows
        assert "holiday snaps" in below
    counts = ("3,792 photos", "one photo in 7 versions", "4 photos", "4 odd files")
    assert any(n in f"{fig.get_suptitle()} {below}" for n in counts)


@pytest.mark.parametrize("kind", ["good", "unknown", "run"])
@pytest.mark.parametrize("name", FROM_AUDIT)
def test_axes_carry_names_and_rates_run_from_0_to_100(name, kind):
    for axes in drawn(draw(name, kind)):
        assert axes.get_xlabel()
        if axes.get_xlabel() != "predicted class" and "confidence" not in axes.get_xlabel():
            assert "(%)" in axes.get_xlabel()
            assert axes.get_xlim() == (0, 100)
        if "axis to" in axes.get_ylabel():
            assert axes.get_ylim() == (0, float(axes.get_ylabel().split()[-2]))


@pytest.mark.parametrize("name", FROM_AUDIT + FROM_IMAGES)
def test_caller_keeps_random_state_and_style_and_audit(name):
    np.random.seed(1)
    random.seed(1)
    before = np.random.get_state()[1].tolist(), random.getstate(), dict(matplotlib.rcParams)
    draw(name)
    assert before == (np.random.get_state()[1].tolist(), random.getstate(), dict(matplotlib.rcParams))
    if name in FROM_AUDIT:
        audit = sample("unknown")
        kept = copy.deepcopy(audit)
        DRAW[name](audit)
        assert audit == kept


@pytest.mark.parametrize("name", FROM_AUDIT + FROM_IMAGES)
def test_callers_style_does_not_leak_in(name):
    expected = pixels(draw(name))
    theirs = {"axes.facecolor": "black", "font.size": 30, "axes.grid": True, "lines.markersize": 20}
    with plt.rc_context({**theirs, "axes.titlepad": 40, "xtick.major.size": 20, "image.cmap": "jet"}):
        assert pixels(draw(name)) == expected


def pixels(fig):
    fig.canvas.draw()
    return bytes(fig.canvas.buffer_rgba())


@pytest.mark.parametrize(
    "kind, classes", [("good", REPORT), ("bad", REPORT), ("unknown", REPORT), ("run", REPORT), ("bad", ODD)]
)
@pytest.mark.parametrize("name", FROM_AUDIT)
def test_nothing_is_cut_or_overlaps(name, kind, classes):
    fig = draw(name, kind, classes, photos="my $x_1$ photos " * 9)
    check_layout(fig)


@pytest.mark.parametrize("name", ["results", "against", "odd_files"])
def test_dollars_stay_text(name):
    shown = [text for text in draw(name, "bad", ODD).findobj(plt.Text) if "$" in text.get_text()]
    assert shown
    for text in shown:
        assert not any(text._preprocess_math(line)[1] for line in text.get_text().split("\n"))


@pytest.mark.parametrize("n", [1, 24])
@pytest.mark.parametrize("name", ["maps", "odd_files"])
def test_one_or_many_images_with_odd_names_fit(name, n):
    check_layout(draw(name, classes=ODD, n=min(n, 8) if name == "maps" else n, photos="my $x_1$ photos " * 9))


def check_layout(fig):
    """Warnings are errors here, too: neither a letter without a glyph nor `$` read as mathematics passes."""
    fig.draw_without_rendering()  # titles and tables find their places as they are drawn
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02
    shown = [text for text in fig.findobj(plt.Text) if text.get_visible() and text.get_text().strip()]
    spans = [(text.get_text(), text.get_window_extent()) for text in shown if not text.get_rotation()]
    spans = [(text, span) for text, span in spans if span.width and span.x0 > -1e4]
    for i, (text, a) in enumerate(spans):
        for other, b in spans[:i]:
            if text != other:  # a shared axis holds its hidden labels twice
                across = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
                assert min(across) < 3, (text, other)


def test_results_that_were_not_measured_are_said_and_not_drawn():
    audit = sample()
    for one in audit["results"].values():
        one.update(unknown("the cat sat on it"))
    fig = overview.draw(audit)
    assert words(fig).count("not measured: the cat sat on it") == len(audit["results"])
    assert not fig.axes[0].lines


@pytest.mark.parametrize("kind", ["good", "bad", "unknown", "run"])
@pytest.mark.parametrize("name", FROM_AUDIT)
def test_no_nan_is_drawn(name, kind):
    for axes in draw(name, kind).axes:
        for line in axes.lines:
            assert np.isfinite(np.asarray(line.get_xydata(), dtype=float)).all()


def test_a_network_that_cannot_be_had_is_a_sentence():
    for name in ("splits", "regions"):
        text = words(draw(name, "unknown"))
        assert "not measured: its weights are not available" in text and "unknown:" not in text


def test_results_are_told_apart_without_colour_and_show_value_interval_and_thresholds():
    audit = sample("bad")
    audit["results"]["mouth"] = {**audit["results"]["mouth"], **unknown("no network is available")}
    fig = overview.draw(audit)
    track, page = fig.axes
    shown = {text.get_text() for text in page.texts}
    assert {"✗", "fail", "!", "warning", "?", "34.2 %", "29.2-39.9 %", "not measured"} <= shown
    assert {"5 %", "20 %", "61.4 %", "72.4 %"} <= {text.get_text() for text in track.texts}
    signs = {line.get_marker() for line in page.lines} - {"None"}
    assert len(signs) == 3
    low, high = audit["results"]["split_variance"]["interval"]
    assert any(np.allclose(line.get_xdata(), (100 * low, 100 * high)) for line in track.lines)
    assert fig.get_suptitle().endswith("2 warning, 4 fail, 2 not measured")


def test_the_zones_of_a_check_follow_which_side_is_good():
    for name, order in (("leaks", ["pass", "warning", "fail"]), ("other_source", ["fail", "warning", "pass"])):
        fig, axes = plt.subplots()
        overview.draw_zones(axes, sample()["results"][name], 0)
        hatches = [patch.get_hatch() for patch in sorted(axes.patches, key=lambda patch: patch.get_x())]
        assert hatches == [overview.SIGNS[result][4] for result in order]


def test_splits_draw_the_distribution_and_the_reports_mark():
    audit = sample()
    upper, lower = split_variance.draw(audit).axes[:2]
    heights = [bar.get_height() for bar in upper.patches if hasattr(bar, "get_height")]
    assert np.allclose(heights, np.array(audit["splits"]["resnet18_last"]["distribution"]) / 10)
    for axes in (upper, lower):
        assert any(np.allclose(line.get_xdata(), 97.5) for line in axes.lines)
    assert "3,592 photos" in words(lower.figure) and "is 2.6 points above" in lower.get_title(loc="left")


def test_every_rate_has_the_interval_it_was_given():
    audit = sample("bad")
    audit["shortcuts"]["hog"]["interval"] = [0.111, 0.222]
    audit["regions"]["mobilenet_v2_surroundings_other"]["interval"] = [0.111, 0.222]
    audit["leaks"]["alignment"]["interval"] = [0.111, 0.222]
    audit["against"]["backward"]["interval"] = [0.111, 0.222]
    audit["splits"]["resnet18_unseen"]["interval"] = [0.111, 0.222]
    for name in ("shortcuts", "regions", "leaks", "against", "splits"):
        fig = DRAW[name](audit)
        assert "11.1-22.2 %" in words(fig)
        lines = [line.get_xdata() for axes in fig.axes for line in axes.lines if len(line.get_xdata()) == 2]
        assert any(np.allclose(ends, (11.1, 22.2)) for ends in lines), name


def test_leaks_count_pairs_and_siblings():
    text = words(draw("leaks", "bad"))
    for part in ("1,204", "312", "640", "80.0 % of the held-out photos", "80.0 % of 1,792 photos", "78.1-81.8 %"):
        assert part in text


def test_shortcuts_are_grouped_and_say_what_each_sees():
    audit = sample("bad")
    fig = shortcuts.draw(audit)
    text = words(fig)
    order = [text.index(part) for part in ("guess: ", "blind: ", "weak: ", "real: ")]
    assert order == sorted(order)
    assert "the photo at 16 x 16 pixels" in text and "measured on 5 folds · 3,792 photos" in text
    lines = [line.get_xdata()[0] for line in fig.axes[0].lines if line.get_marker() == "None"]
    for share in (100 * audit["shortcuts"][name]["value"] for name in ("guess", "model")):
        assert share in lines


def test_maps_state_their_scale_and_a_flat_or_broken_map_is_none():
    found = np.zeros((3, 7, 7))
    found[0, 2, 2], found[2, 0, 0] = 0.4, math.inf
    images = [photo(i) for i in range(3)]
    fig = regions.draw_maps(images, {"occlusion": found}, [0, 1, 0], np.full((3, 2), 0.5), REPORT, "demo")
    overlaid = [len(axes.images) for axes in fig.axes if axes.images]
    assert overlaid == [1, 2, 1, 1, 1, 1]
    over = fig.axes[1].images[1]
    assert over.get_clim() == (0, 1) and over.get_array().max() == 1 and over.get_cmap().name == "cividis"
    text = words(fig)
    assert "0 to 0.4" in text and text.count("no map") == 2 and "0 least, 1 most" in text


def test_odd_files_that_cannot_be_decoded_are_said():
    fig = draw("odd_files", n=24)
    assert fig.get_suptitle() == "24 odd files" and len(drawn(fig)) == 24
    assert words(fig).count("cannot be decoded") == 6


def test_calibration_without_a_threshold_shows_its_curve_and_says_so():
    audit = sample()
    audit["calibration"]["dont_know"].update(unknown("no threshold brings the error to 1 %", threshold=None))
    audit["calibration"]["ece"]["bins"][-1]["interval"] = [0.111, 1.0]
    fig = calibration.draw(audit)
    assert len(fig.axes) == 3 and "not measured: no threshold brings the error to 1 %" in words(fig)
    reliability = next(axes for axes in fig.axes if axes.get_ylabel() == "accuracy (%)")
    ends = [segment[:, 1] for segment in reliability.collections[0].get_segments()]
    bins = [row for row in audit["calibration"]["ece"]["bins"] if row["n"]]
    assert np.allclose(ends, [100 * np.array(row["interval"]) for row in bins])


@pytest.mark.parametrize("kind", ["good", "bad", "unknown", "run"])
@pytest.mark.parametrize("name", FROM_AUDIT)
def test_a_figure_in_indonesian_holds_no_english_text(name, kind):
    """Its own words, that is: names, and the free text of the sample, stay as they are."""
    audit = sample(kind)
    english, indonesian = (
        {text.get_text() for text in DRAW[name](audit, language=language).findobj(plt.Text)}
        for language in ("en", "id")
    )
    names = {"resnet18", "mobilenet_v2", "HOG", *REPORT, *(label(text, 99) for text in REPORT)}
    same = {text for text in english & indonesian if re.search("[a-z]{3}", text)} - names
    free = json.dumps(audit)
    assert not {text for text in same if " ".join(text.split())[:12] not in free}
    assert not any(re.search(r"\d\.\d(?!\d\d)", text) for text in indonesian)


def test_a_reason_is_translated_too():
    audit = sample()
    audit["results"]["calibration"] |= {"value": None, "interval": None, "result": "unknown"} | said(
        "not measured: {why}", why=message("{n} unseen photos are too few; {m} are needed", n=8, m=30)
    )
    shown = words(overview.draw(audit, language="id"))
    assert "tidak diukur: 8 foto yang belum pernah dilihat terlalu sedikit; diperlukan 30" in shown


def test_long_text_is_wrapped_to_its_width_and_cut_with_a_sign():
    rows = figures.wrap("a $word$ " * 20 + "M" * 80, 2, 9).split("\n")
    assert all(figures.inches_of(row.replace(r"\$", "$"), 9) <= 2 for row in rows)
    assert figures.wrap("one two three four", 0.5, 10, lines=2).endswith("…")
    assert figures.inches_of(figures.fit("M" * 300 + ".png", 1.5, 9), 9) <= 1.5


@pytest.mark.parametrize("name", FROM_AUDIT + FROM_IMAGES)
def test_save_writes_the_same_bytes_twice(name, tmp_path):
    for run in "ab":
        plots.save(draw(name, photos="demo"), tmp_path / run, name)
    for path in (tmp_path / "a" / "figures").iterdir():
        a, b = ((tmp_path / run / "figures" / path.name).read_bytes() for run in "ab")
        assert a == b and len(a) > 1000
    assert (tmp_path / "a" / "figures" / f"{name}.svg").exists() == (name not in FROM_IMAGES)


@pytest.mark.parametrize("n", [12, 30])
def test_another_source_of_many_classes_shows_the_most_confused(n):
    classes = sorted(f"class {number}" for number in range(1, n + 1))
    fig = other_source.draw(sample("good", classes))
    assert fig.get_size_inches()[0] < 18
    ticks = [tick.get_text() for tick in fig.axes[0].get_yticklabels()]
    assert ticks[:2] == ["class 1", "class 2"]
    assert (ticks[-1] == "18 others") == ("12 of 30 classes shown" in fig.get_suptitle()) == (n == 30)
