"""Each figure is labelled, honest about what it shows, leaves the caller alone, and saves the same bytes."""

import io
import random
import re
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from maskkit import evaluate, plot_style, plots, saved_figure
from maskkit.core import intervals

REPORT = ("with_mask", "without_mask")
ODD = (
    "a $cost$ of x_1",
    "<script>",
    "mask \N{FACE WITH MEDICAL MASK}",
    "\u53e3\u7f69",
    *"defghi",
    "long_" * 20,
)
FIGURES = ("photos_grid", "split", "training_curves", "confusion", "scores", "predictions", "mistakes")
OF_PHOTOS = ("photos_grid", "predictions", "mistakes")


@pytest.fixture(autouse=True)
def close_figures():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing letter or a layout that does not fit is a warning of matplotlib
        yield
    plt.close("all")


def history(epochs=3, n=40):
    return [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "train_accuracy": 0.9,
            "val_loss": 1.1 / epoch,
            "val_accuracy": (n - 1) / n,
            "val_correct": n - 1,
        }
        for epoch in range(1, epochs + 1)
    ]


def draw(name, classes=REPORT, n=12, photos="demo", epochs=3):
    """One of the figures, of n drawn photos whose last one is wrong."""
    images = [Image.new("RGB", (40 + i % 7, 50), (i * 5 % 255, 90, 120)) for i in range(n)]
    labels = np.arange(n) * len(classes) // n
    probabilities = np.eye(len(classes))[labels] * 0.8 + 0.2 / len(classes)
    probabilities[-1] = np.roll(probabilities[-1], 1)
    matrix = evaluate.confusion(labels, probabilities.argmax(1), len(classes))
    best = {"epoch": epochs, **evaluate.score(n - 1, n)}
    if name == "photos_grid":
        return plots.photos_grid(images, labels, classes, photos)
    if name == "split":
        part = {label: int((labels == i).sum()) for i, label in enumerate(classes)}
        return plots.split_counts({"train": part, "val": part}, photos)
    if name == "training_curves":
        return plots.training_curves(history(epochs, n), photos, "resnet18")
    if name == "confusion":
        return plots.confusion(matrix, classes, photos, "resnet18")
    if name == "scores":
        return plots.scores(
            {
                "classes": classes,
                "confusion": matrix,
                "best": best,
                "last": best,
                "photos": photos,
                "arch": "resnet18",
                "per_class_scores": evaluate.per_class(matrix, classes),
            }
        )
    if name == "predictions":
        return plots.predictions(images, labels, probabilities, classes, photos, "resnet18")
    rows = [{"file": f"{'x' * 60}{i}$_$.png"} for i in range(n)]
    wrong = evaluate.mistakes(rows, labels, probabilities, classes)
    return plots.mistakes(images, wrong, classes, photos, "resnet18")


def words(fig):
    """Every text of a figure that is drawn."""
    return [text.get_text() for text in fig.findobj(plt.Text) if text.get_visible() and text.get_text()]


def heading(fig):
    return " ".join([fig.get_suptitle(), *(text.get_text() for text in fig.texts)])


@pytest.mark.parametrize("name", FIGURES)
def test_figure_says_what_how_many_and_which_photos(name):
    fig = draw(name, photos="holiday snaps")
    assert isinstance(fig, Figure)
    assert fig.get_suptitle()
    assert "holiday snaps" in heading(fig)
    assert re.search(r"\d+ (of|photos|validation photos|mistake)", heading(fig) + fig.get_suptitle())


@pytest.mark.parametrize("name", ["split", "training_curves", "confusion", "scores"])
def test_axes_carry_names(name):
    for axes in draw(name).axes:
        assert axes.get_xlabel()
    assert draw(name).axes[0].get_ylabel()


@pytest.mark.parametrize("name", FIGURES)
def test_caller_keeps_random_state_and_style(name):
    np.random.seed(1)
    random.seed(1)
    before = np.random.get_state()[1].tolist(), random.getstate(), dict(matplotlib.rcParams)
    draw(name)
    assert before == (np.random.get_state()[1].tolist(), random.getstate(), dict(matplotlib.rcParams))


@pytest.mark.parametrize("name", FIGURES)
def test_callers_style_does_not_leak_in(name):
    expected = pixels(draw(name))
    theirs = {"axes.facecolor": "black", "font.size": 30, "axes.grid": True, "lines.markersize": 20}
    with plt.rc_context({**theirs, "axes.titlepad": 40, "xtick.major.size": 20, "axes.linewidth": 5}):
        assert pixels(draw(name)) == expected


def pixels(fig):
    fig.canvas.draw()
    return bytes(fig.canvas.buffer_rgba())


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("classes, n, epochs", [(ODD, 30, 120), (("a", "b", "c"), 9, 2), (REPORT, 1, 1)])
def test_odd_names_many_classes_and_hardly_any_photo(name, classes, n, epochs, tmp_path):
    """Warnings are errors here: neither a letter without a glyph nor `$` read as mathematics passes."""
    fig = draw(name, classes, n, photos="my $x_1$ photos " * 9, epochs=epochs)
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02  # nothing is cut
    plots.save(fig, tmp_path, name)
    assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 1000


def test_dollars_stay_text():
    fig = draw("split", ODD)
    shown = [text for text in fig.findobj(plt.Text) if "cost" in text.get_text()]
    assert shown
    for text in shown:
        assert text._preprocess_math(text.get_text()) == ("a $cost$ of x_1", False)


def test_confusion_shows_the_counts_it_was_given():
    matrix = np.array([[20, 0, 3], [1, 19, 0], [7, 8, 0]])
    fig = plots.confusion(matrix, ("a", "b", "c"), "demo", "resnet18")
    cells = {text.get_gid(): text.get_text() for text in fig.axes[0].texts if "cell" in (text.get_gid() or "")}
    assert cells == {f"cell {row} {column}": str(matrix[row, column]) for row, column in np.ndindex(3, 3)}
    assert "39 of 58 (67.2 %)" in fig.get_suptitle()
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a", "b", "c"]


def test_confusion_draws_the_wilson_interval_of_each_row():
    fig = plots.confusion([[20, 0], [1, 19]], REPORT, "demo", "resnet18")
    bars = [line.get_xdata() for line in fig.axes[1].lines if len(line.get_xdata()) == 2]
    assert np.allclose(bars, [np.array(intervals.wilson(20, 20)) * 100, np.array(intervals.wilson(19, 20)) * 100])


def test_training_curves_mark_the_epoch_that_is_kept_on_a_0_100_axis():
    rows = history(4)
    rows[0].update(val_accuracy=0.5, val_correct=20)
    rows[3].update(val_loss=0.4)  # epochs 2 to 4 are equal in accuracy; epoch 3 has the lowest loss of these
    fig = plots.training_curves(rows, "demo", "resnet18")
    loss, accuracy = fig.axes
    assert accuracy.get_ylim() == (0, 100) and loss.get_ylim()[0] == 0
    assert "39 of 40 (97.5 %)" in heading(fig) and "epoch 3 of 4" in heading(fig)
    assert accuracy.lines[1].get_ydata()[-1] == pytest.approx(97.5)
    low, high = intervals.wilson(39, 40)
    band = accuracy.collections[0].get_datalim(accuracy.transData)
    assert band.y1 == pytest.approx(100 * high)


def test_empty_history_says_what_to_run():
    with pytest.raises(ValueError, match="02_train"):
        plots.training_curves([], "demo", "resnet18")


@pytest.mark.parametrize("classes, expected", [(REPORT, True), (("cat", "dog"), False)])
def test_scores_show_the_reports_line_for_the_reports_classes_only(classes, expected):
    assert any("97.5" in text and "report" in text for text in words(draw("scores", classes))) is expected


def test_the_reports_classes_keep_their_look_beside_others():
    looks = plot_style.class_styles(ODD[:8] + REPORT)
    assert looks[-2:] == plot_style.class_styles(REPORT)
    for part in range(3):
        assert len({look[part] for look in looks}) == 10


def test_predictions_tell_right_from_wrong_without_colour():
    fig = draw("predictions", n=30)
    assert sum(axes.axison for axes in fig.axes) == plots.MAX_PREDICTIONS
    wrong = [axes for axes in fig.axes if axes.get_xlabel().startswith("✗")]
    right = [axes for axes in fig.axes if axes.get_xlabel().startswith("✓")]
    assert (len(wrong), len(right)) == (1, 19)
    assert wrong[0].spines["left"].get_linestyle() != right[0].spines["left"].get_linestyle()
    assert "with_mask, 90.0 %" in right[0].get_xlabel()


def test_mistakes_are_shown_surest_first_and_the_title_says_how_many_more():
    n = plots.MAX_MISTAKES + 10
    wrong = [
        {"file": f"{i}.png", "label": "with_mask", "predicted": "without_mask", "probability": 0.9} for i in range(n)
    ]
    wrong[0] |= {"file": "7.png", "probability": 0.99996}
    fig = plots.mistakes([Image.new("RGB", (8, 8))] * plots.MAX_MISTAKES, wrong, REPORT, "demo", "resnet18")
    assert fig.get_suptitle() == f"{n} mistakes, 10 more not shown"
    shown = [axes for axes in fig.axes if axes.axison]
    assert len(shown) == plots.MAX_MISTAKES
    assert [text.get_text() for text in shown[0].texts] == ["is with_mask", "7.png"]
    assert shown[0].get_xlabel() == "✗ without_mask, > 99.9 %"  # what is not certain is not 100 %


def test_long_names_are_cut_in_the_middle():
    assert plot_style.label("0123456789abcdefghij", 9) == "0123…ghij"
    assert plot_style.label("short") == "short"


@pytest.mark.parametrize("name", FIGURES)
def test_save_writes_the_same_bytes_twice(name, tmp_path):
    fig = draw(name)
    plots.save(fig, tmp_path / "a", name)
    plots.save(fig, tmp_path / "b", name)
    plots.save(draw(name), tmp_path / "c", name)
    for path in (tmp_path / "a" / "figures").iterdir():
        a, b, c = ((tmp_path / run / "figures" / path.name).read_bytes() for run in "abc")
        assert a == b == c
    assert (tmp_path / "a" / "figures" / f"{name}.svg").exists() == (name not in OF_PHOTOS)
    with Image.open(tmp_path / "a" / "figures" / f"{name}.png") as image:
        assert np.allclose(image.size, fig.get_size_inches() * 150, atol=1)


@pytest.mark.parametrize(("name", "kind"), [("split", "png"), ("photos_grid", "jpeg")])
def test_a_notebook_shows_a_small_picture_of_the_saved_figure(tmp_path, name, kind):
    data, size = plots.save(draw(name), tmp_path, name)._repr_mimebundle_()
    assert data["text/plain"] == f"figures/{name}.png"
    with Image.open(io.BytesIO(data[f"image/{kind}"])) as image:
        assert abs(image.width - saved_figure.SCALE * size[f"image/{kind}"]["width"]) <= 1
    if kind == "png":
        assert len(data["image/png"]) < (tmp_path / "figures" / f"{name}.png").stat().st_size


def test_save_is_whole_or_not_at_all(tmp_path, monkeypatch):
    plots.save(draw("split"), tmp_path, "split")
    path = tmp_path / "figures" / "split.png"
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        plots.save(draw("split", classes=("a", "b")), tmp_path, "split")
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["split.png", "split.svg"]


def test_compared_curves_show_every_run_with_its_interval():
    histories = {"first": history(5), "second": history(3)}
    fig = plots.curves_compared(histories)
    left, right = fig.axes
    assert len(left.lines) == len(right.lines) == 4 and len(right.collections) == 2
    assert [len(line.get_xdata()) for line in right.lines] == [5, 5, 3, 3]
    (legend,) = fig.legends
    assert {text.get_text() for text in legend.get_texts()} >= {"first, validation", "second, 95 % interval"}
    assert len({line.get_markersize() for line in right.lines[::2]}) == 2  # equal curves are seen to be two


# --- many classes -------------------------------------------------------------------------------

MANY = tuple(sorted(f'class {number} "x" é' for number in range(1, 31)))
LIKE = tuple(sorted(f"a photograph of {number}, taken from the front" for number in range(1, 101)))


def many_matrix(n, photos=10):
    """Each class right for most of its photos; the later its place, the more of them are called the next class."""
    wrong = np.arange(n) * photos // (2 * n)
    matrix = np.diag(photos - wrong)
    matrix[np.arange(n), (np.arange(n) + 1) % n] += wrong
    return matrix


def ticks(axis):
    return [tick.get_text() for tick in axis.get_yticklabels()]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("classes", [MANY, LIKE])
def test_figures_of_many_classes_stay_small_and_name_no_two_alike(name, classes, tmp_path):
    fig = draw(name, classes, 4 * len(classes))
    assert max(fig.get_size_inches()) < 20 and len(fig.axes) <= 60
    for axis in fig.axes:
        assert len(set(ticks(axis))) == len(ticks(axis))
    plots.save(fig, tmp_path, name)
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02


def test_thirty_classes_have_their_matrix_in_natural_order_without_zeros():
    matrix = many_matrix(30)
    fig = plots.confusion(matrix, MANY, "demo", "resnet18")
    names = [f'class {number} "x" é' for number in range(1, 31)]
    assert ticks(fig.axes[0]) == [tick.get_text() for tick in fig.axes[0].get_xticklabels()] == names
    cells = {text.get_gid(): text.get_text() for text in fig.axes[0].texts if "cell" in (text.get_gid() or "")}
    assert len(cells) == np.count_nonzero(matrix) and "0" not in cells.values()
    at = {name: place for place, name in enumerate(MANY)}
    for row, true in enumerate(names):
        for column, called in enumerate(names):
            assert int(cells.get(f"cell {row} {column}", 0)) == matrix[at[true], at[called]]
    assert "classes shown" not in heading(fig)
    assert all(text.get_fontsize() >= 8 for text in fig.findobj(plt.Text) if text.get_text())


@pytest.mark.parametrize("n, zeros", [(10, True), (11, False)])
def test_empty_cells_are_empty_above_ten_classes(n, zeros):
    fig = plots.confusion(many_matrix(n), [f"c{i:02d}" for i in range(n)], "demo", "resnet18")
    assert ("0" in [text.get_text() for text in fig.axes[0].texts]) is zeros


def test_a_matrix_of_a_hundred_classes_shows_the_most_confused_and_the_others_as_one():
    matrix = many_matrix(100)
    matrix[2, 0] = 3  # among the others: in no cell, but said
    fig = plots.confusion(matrix, LIKE, "demo", "resnet18")
    assert fig.get_suptitle().endswith("right: 20 of 100 classes shown")
    assert len(ticks(fig.axes[0])) == 21 and ticks(fig.axes[0])[-1] == "80 others"
    cells = {text.get_gid(): int(text.get_text()) for text in fig.axes[0].texts if "cell" in (text.get_gid() or "")}
    missing = int(re.search(r"(\d+) mistakes among the others not shown", heading(fig))[1])
    assert sum(cells.values()) + missing == matrix.sum() and missing >= 3
    wrong = matrix.sum(0) + matrix.sum(1) - 2 * matrix.diagonal()
    kept = set(np.argsort(-wrong, kind="stable")[:20].tolist())
    labels = plot_style.class_labels(LIKE, 14)
    assert sorted(wrong[[labels.index(name) for name in ticks(fig.axes[0])[:-1]]]) == sorted(wrong[sorted(kept)])
    others = sorted(set(range(100)) - {labels.index(name) for name in ticks(fig.axes[0])[:-1]})
    assert cells["cell 20 20"] == matrix[others, others].sum()
    low, high = (100 * end for end in intervals.wilson(matrix[others, others].sum(), matrix[others].sum()))
    assert np.allclose(fig.axes[1].lines[-2].get_xdata(), (low, high))


def test_scores_of_many_classes_are_the_lowest_and_the_others_together():
    matrix = many_matrix(30)
    best = {"epoch": 1, **evaluate.score(int(matrix.trace()), int(matrix.sum()))}
    metrics = {"classes": MANY, "confusion": matrix, "best": best, "last": best, "photos": "demo", "arch": "a"}
    fig = plots.scores(metrics)
    shown = ticks(fig.axes[0])[2:]
    recalls = matrix.diagonal() / matrix.sum(1)
    lowest = [recalls[MANY.index(name.removeprefix("recall, "))] for name in shown[:-1]]
    assert lowest == sorted(recalls)[:12] and shown[-1] == "recall, 18 others together"
    assert "12 of 30 classes shown" in heading(fig) and "lowest recall" in heading(fig)


def test_split_of_many_classes_shows_the_smallest_and_the_others_mean():
    counts = {name: 20 + place for place, name in enumerate(MANY)}
    fig = plots.split_counts({"train": counts, "val": dict.fromkeys(MANY, 5)}, "demo")
    assert sorted(ticks(fig.axes[0])[:-1]) == sorted(MANY[:12]) and ticks(fig.axes[0])[-1] == "18 others (mean)"
    assert {"32-49 each", "5 each"} <= set(words(fig)) and "the classes with the fewest photos" in heading(fig)
    assert fig.axes[0].patches[-1].get_width() == np.mean(range(32, 50))
    fig = plots.split_counts({"train": dict.fromkeys(MANY, 5), "val": dict.fromkeys(MANY, 5)}, "demo")
    assert ticks(fig.axes[0])[:2] == ['class 1 "x" é', 'class 2 "x" é'] and "first classes by name" in heading(fig)


def test_a_sample_of_many_classes_is_of_the_first_by_name():
    fig = draw("photos_grid", MANY, 300)
    titles = [axes.get_title("left") for axes in fig.axes if axes.get_title("left")]
    assert titles == [f'class {number} "x" é' for number in range(1, 13)]
    assert "12 of 30 classes shown" in heading(fig) and "60 photos shown" in heading(fig)


def test_a_hundred_classes_look_different():
    assert len(set(plot_style.class_styles(LIKE))) == 100


def test_names_from_right_to_left_turn_nothing_else():
    names = plot_style.class_labels(("كمامة", "بدون كمامة", "a\u202eb"))
    assert names[:2] == ["\u200eكمامة\u200e", "\u200eبدون كمامة\u200e"] and names[2] == "a□b"


def test_chance_draws_each_samples_shares_and_shorter_intervals_for_more_photos():
    counts = {0.5: np.array([2, 2, 3, 1]), 0.9: np.array([4, 4, 4, 3])}
    fig = plots.chance(counts, n=4, observed=3)
    heights = [round(bar.get_height()) for bar in fig.axes[0].patches]
    assert heights == [0, 25, 50, 25, 0, 0, 0, 0, 25, 75]
    assert "3 of 4" in heading(fig)
    low, high = intervals.wilson(192, 256)
    assert f"192 of 256 (75.0 %)\n{100 * low:.1f}-{100 * high:.1f} %" in words(fig)


def texts_of(fig):
    return " ".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


def test_a_figure_speaks_the_language_it_is_given_and_leaves_none_behind():
    indonesian = texts_of(plots.training_curves(history(n=40), "demo", "resnet18", language="id"))
    for words in ("Pelatihan: akurasi validasi terbaik 39 dari 40 (97,5%)", "akurasi (%)", "epoch terbaik (3)", "0,2"):
        assert words in indonesian
    assert "validation" not in indonesian
    assert "best validation accuracy 39 of 40 (97.5 %)" in texts_of(plots.training_curves(history(n=40), "demo", "x"))


def test_a_figure_in_a_language_that_is_none_of_ours_is_refused():
    with pytest.raises(ValueError, match="LANGUAGE"):
        plots.scores({}, language="fr")


def test_neighbours_are_marked_by_whether_their_labels_are_equal():
    pairs = [(Image.new("RGB", (40, 50)), Image.new("RGB", (60, 50)))] * 2
    fig = plots.neighbours(pairs, [(0, 0), (1, 0)], REPORT, (38, 40), "demo", "resnet18", language="id")
    assert fig.get_suptitle() == "Foto latih yang paling mirip berlabel sama untuk 38 dari 40 foto"
    below = [axis.get_xlabel() for axis in fig.axes if axis.images]
    assert below == ["", "", "✓", "✗"] and sum(bool(axis.images) for axis in fig.axes) == 4
