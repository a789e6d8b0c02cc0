"""The figure of speeds is labelled, says what is missing, and leaves the caller's style alone."""

import warnings

import matplotlib
import matplotlib.pyplot as plt
import pytest
from test_compare import row

from maskkit import plots_improve


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
    fig = plots_improve.speeds(rows)
    assert dict(plt.rcParams) == before
    text = words(fig)
    for wanted in ("(ms)", "photos per second", "torch, eager, 16", "net_0", "a processor", "3 interleaved rounds"):
        assert wanted in text
    assert [len(axis.patches) for axis in fig.axes] == [n, 2 * n]


def test_what_was_not_measured_is_said():
    rows = [row("a", {1: [10, 10, 10]}), row("b", {1: [10, 10, 10]})]
    rows[0]["speed"]["onnxruntime"] = rows[0]["speed"]["eager"]
    assert words(plots_improve.speeds(rows)).count("not measured") == 2  # b's latency and throughput
