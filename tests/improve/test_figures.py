"""The figure of speeds is labelled, says what is missing, and leaves the caller's style alone."""

import re
import warnings

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from conftest import draw_photo

from maskkit.core import paths
from maskkit.improve import figures, paired_gains
from tests.improve.test_speed_table import row


@pytest.fixture(autouse=True)
def close_figures():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    plt.close("all")


def words(fig):
    return " ".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_speeds_are_labelled(n):
    before = dict(plt.rcParams)
    rows = [row(f"net_{i}", {1: [10 + i] * 3, 16: [90, 95, 100]}) for i in range(n)]
    fig = figures.speeds(rows)
    assert dict(plt.rcParams) == before
    text = words(fig)
    for wanted in ("(ms)", "photos per second", "torch, eager, 16", "net_0", "a processor", "3 interleaved rounds"):
        assert wanted in text
    assert [len(axis.patches) for axis in fig.axes] == [n, 2 * n]


def test_what_was_not_measured_is_stated():
    rows = [row("a", {1: [10, 10, 10]}), row("b", {1: [10, 10, 10]})]
    rows[0]["speed"]["onnxruntime"] = rows[0]["speed"]["eager"]
    assert words(figures.speeds(rows)).count("not measured") == 2  # b's latency and throughput


# --- views, curves, gains -----------------------------------------------------------------------


def gain_of(value, low, high, answer):
    return {
        "value": value,
        "interval": [low, high],
        "n": 120,
        "splits": 20,
        "answer": answer,
        "before": 0.9,
        "after": 0.9 + value,
        "words": "an extension",
        "test_set": "unseen",
        "arch": "resnet18",
        "extension": "strong augmentation",
    }


def test_gains_say_what_was_and_became_and_the_answer():
    unsure = gain_of(0.01, -0.02, 0.04, "no gain shown")
    found = {
        "an extension": {"unseen": gain_of(0.05, 0.01, 0.09, "yes"), "street_camera": unsure},
        "another extension with a name that is long": {"unseen": gain_of(-0.03, -0.05, -0.01, "worse")},
    }
    fig = figures.gains(found, "demo", "What augmentation gains")
    text = words(fig)
    for wanted in (
        "+5.0 (+1.0 to +9.0), from 90.0 to 95.0 %: yes",
        "no gain shown",
        "-3.0 (-5.0 to -1.0)",
        "worse",
        "percentage points",
        "20 splits",
        "120 photos",
        "demo",
        "What augmentation gains",
    ):
        assert wanted in text
    low, high = fig.axes[0].get_xlim()
    assert low == -high and high > 9  # zero in the middle, every interval inside


def test_views_are_shown_beside_the_photo_and_leave_random_state_alone():
    images = [draw_photo(0), draw_photo(1)]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    fig = figures.views(images, [0, 1], ("with_mask", "without_mask"), ("report", "street"), "demo", 0)
    assert torch.equal(before, torch.get_rng_state())
    assert sum(bool(axis.images) for axis in fig.axes) == 4 * (1 + figures.SHOWN_VIEWS)
    for wanted in ("original", "augmented view 4", "the report's", "street camera", "without_mask"):
        assert wanted in words(fig)


def test_unfrozen_epochs_of_each_network_have_a_row():
    row = {"train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.4, "val_accuracy": 0.9, "val_correct": 36}
    history = [row | {"epoch": epoch} for epoch in (1, 2, 3)]
    fig = figures.tails({"resnet18": history, "mobilenet_v2": history[:1]}, "demo")
    assert len(fig.axes) == 4
    for wanted in ("resnet18: loss", "mobilenet_v2: accuracy", "epoch", "accuracy (%)", "validation"):
        assert wanted in words(fig)


def test_views_of_many_classes_are_of_the_first_by_name():
    classes = tuple(sorted(f"class {number}" for number in range(1, 31)))
    images = [draw_photo(i) for i in range(30)]
    fig = figures.views(images, list(range(30)), classes, ("report", "strong", "street"), "demo", 0)
    assert sum(bool(axis.images) for axis in fig.axes) == 12 * (1 + figures.SHOWN_VIEWS)
    for wanted in ("4 of 30 classes shown", "class 1\n", "class 4\n"):
        assert wanted in words(fig)
    assert "class 10\n" not in words(fig)


def test_figures_are_drawn_in_indonesian():
    found = {
        "a": {"unseen": gain_of(0.05, 0.01, 0.09, "yes"), "street_camera": gain_of(0.01, -0.02, 0.04, "no gain shown")}
    }
    epoch = {
        "train_loss": 0.5,
        "train_accuracy": 0.8,
        "val_loss": 0.4,
        "val_accuracy": 0.9,
        "val_correct": 36,
        "epoch": 1,
    }
    drawn = {
        figures.gains(found, "demo", figures.TITLES_OF_04[1], language="id"): (
            "Manfaat setiap usulan pengembangan",
            "resnet18, augmentasi kuat",
            "+5,0 (+1,0 s.d. +9,0), dari 90,0 ke 95,0%: ya",
            "tidak terbukti lebih baik",
            "foto yang belum pernah dilihat",
        ),
        figures.views([draw_photo(0)], [0], ("a", "b"), ("report", "street"), "demo", 0, language="id"): (
            "Variasi augmentasi",
            "dari laporan",
            "kamera jalan",
            "variasi 4",
        ),
        figures.tails({"resnet18": [epoch]}, "demo", language="id"): (
            "Fine-tuning tahap terakhir",
            "resnet18: akurasi",
        ),
        figures.speeds([row("a", {1: [10, 10, 10]})], language="id"): ("Kecepatan jaringan", "foto per detik"),
    }
    for fig, wanted in drawn.items():
        for text in wanted:
            assert text in words(fig)


def test_titles_and_extensions_of_the_notebook_have_translations():
    notebook = (paths.NOTEBOOKS / "04_improve.ipynb").read_text(encoding="utf-8")
    known = {*figures.TITLES_OF_04, *paired_gains.EXTENSIONS_OF_04}
    passed = re.findall(r'(?:paired_gains\.compare\(|title = )\\"(.*?)\\"', notebook)
    assert len(passed) == 5 and set(passed) <= known
