"""Each figure is labelled, honest about what it shows, leaves the caller alone, and saves the same bytes."""

import random
import re
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from maskkit import evaluate, plots

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


@pytest.fixture(autouse=True)
def close_figures():
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error"
        )  # a missing letter or a layout that does not fit is a warning of matplotlib
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
    files = [f"{'x' * 60}{i}$_$.png" for i in range(n)]
    return plots.mistakes(images, labels, probabilities, files, classes, photos, "resnet18")


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
    assert re.search(r"\d+ (of|photos|validation photos)", heading(fig) + fig.get_suptitle())


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
    assert (
        box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02
    )  # nothing is cut
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
    cells = {
        text.get_gid(): text.get_text() for text in fig.axes[0].texts if "cell" in (text.get_gid() or "")
    }
    assert cells == {f"cell {row} {column}": str(matrix[row, column]) for row, column in np.ndindex(3, 3)}
    assert "39 of 58 (67.2 %)" in fig.get_suptitle()
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a", "b", "c"]


def test_confusion_draws_the_wilson_interval_of_each_row():
    fig = plots.confusion([[20, 0], [1, 19]], REPORT, "demo", "resnet18")
    bars = [line.get_xdata() for line in fig.axes[1].lines if len(line.get_xdata()) == 2]
    assert np.allclose(
        bars, [np.array(evaluate.wilson(20, 20)) * 100, np.array(evaluate.wilson(19, 20)) * 100]
    )


def test_training_curves_mark_the_epoch_that_is_kept_on_a_0_100_axis():
    rows = history(4)
    rows[0].update(val_accuracy=0.5, val_correct=20)
    rows[3].update(val_loss=0.4)  # epochs 2 to 4 are equal in accuracy; epoch 3 has the lowest loss of these
    fig = plots.training_curves(rows, "demo", "resnet18")
    loss, accuracy = fig.axes
    assert accuracy.get_ylim() == (0, 100) and loss.get_ylim()[0] == 0
    assert "39 of 40 (97.5 %)" in heading(fig) and "epoch 3 of 4" in heading(fig)
    assert accuracy.lines[1].get_ydata()[-1] == pytest.approx(97.5)
    low, high = evaluate.wilson(39, 40)
    band = accuracy.collections[0].get_datalim(accuracy.transData)
    assert band.y1 == pytest.approx(100 * high)


def test_empty_history_says_what_to_run():
    with pytest.raises(ValueError, match="02_train"):
        plots.training_curves([], "demo", "resnet18")


@pytest.mark.parametrize("classes, expected", [(REPORT, True), (("cat", "dog"), False)])
def test_scores_show_the_reports_line_for_the_reports_classes_only(classes, expected):
    assert any("97.5" in text and "report" in text for text in words(draw("scores", classes))) is expected


def test_the_reports_classes_keep_their_look_beside_others():
    looks = plots.class_looks(ODD[:8] + REPORT)
    assert looks[-2:] == plots.class_looks(REPORT)
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


def test_mistakes_shows_only_the_wrong_ones_surest_first_and_says_how_many_more():
    n = 60
    images = [Image.new("RGB", (8, 8))] * n
    labels = np.array([0] * 50 + [1] * 10)
    probabilities = np.array([[0.01, 0.99]] * 50 + [[0.1, 0.9]] * 10)
    probabilities[7] = [0.0, 1.0]
    fig = plots.mistakes(
        images, labels, probabilities, [f"{i}.png" for i in range(n)], REPORT, "demo", "resnet18"
    )
    assert fig.get_suptitle() == "50 mistakes in 60 validation photos, 10 more not shown"
    shown = [axes for axes in fig.axes if axes.axison]
    assert len(shown) == plots.MAX_MISTAKES
    assert [text.get_text() for text in shown[0].texts] == ["is with_mask", "7.png"]


def test_long_names_are_cut_in_the_middle():
    assert plots.label("0123456789abcdefghij", 9) == "0123…ghij"
    assert plots.label("short") == "short"


@pytest.mark.parametrize("name", FIGURES)
def test_save_writes_the_same_bytes_twice(name, tmp_path):
    fig = draw(name)
    plots.save(fig, tmp_path / "a", name)
    plots.save(fig, tmp_path / "b", name)
    plots.save(draw(name), tmp_path / "c", name)
    for suffix in ("png", "svg"):
        a, b, c = ((tmp_path / run / "figures" / f"{name}.{suffix}").read_bytes() for run in "abc")
        assert a == b == c
    with Image.open(tmp_path / "a" / "figures" / f"{name}.png") as image:
        assert np.allclose(image.size, fig.get_size_inches() * 150, atol=1)


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
