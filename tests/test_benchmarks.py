"""The benchmarks' shared part. What they measure is run by `make bench-quick` in .ci/run."""

import sys

import numpy as np
import pytest

from maskkit.core import paths

sys.path.append(str(paths.ROOT / "benchmarks"))
import leaks as leak_benchmark
import measure
import networks


def test_turns_are_interleaved_and_the_first_is_not_counted():
    order = []
    seconds = measure.in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b") or 7.0}, repeats=2)
    assert order == ["a", "b"] * 3
    assert len(seconds["a"]) == 2 and all(value < 1 for value in seconds["a"])
    assert seconds["b"] == [7.0, 7.0]


def test_what_a_way_returns_is_taken_for_seconds_only_where_it_is_a_float():
    seconds = measure.in_turns({"lists": lambda: ["of", "photos"]}, repeats=1)
    assert seconds["lists"][0] < 1


def test_a_ratio_below_its_floor_is_named():
    assert measure.below({"warm_vs_cold": 1.2, "cold_vs_plain": 9.0}, {"warm_vs_cold": 1.3, "cold_vs_plain": 2.5}) == [
        "warm_vs_cold is 1.2, below 1.3"
    ]


def rows_of(times, others):
    """Two networks' rows of one sitting, eager, batch 1."""
    return [{"arch": name, "speed": {"eager": {"1": {"rounds_ms": ms}}}} for name, ms in (("a", times), ("b", others))]


def test_interleaved_sittings_share_what_changes_from_minute_to_minute():
    sittings = [rows_of([10] * 4, [5] * 4), rows_of([10] * 4, [9] * 4)]
    after = networks.disagreements(networks.one_after_the_other(sittings))
    assert after == {"b, eager, batch 1": pytest.approx(0.8)}
    assert networks.interleaved(sittings) == [{"b, eager, batch 1": 0.7}] * 2
    apart = [rows_of([10] * 4, [5, 9, 5, 9])]  # what does change from round to round
    assert networks.interleaved(apart) == [{"b, eager, batch 1": 0.5}, {"b, eager, batch 1": 0.9}]


def test_results_hold_rows_ratios_and_how_busy_the_machine_was(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    rows = [measure.row("plain", [3.0, 1.0, 2.0], accuracy={"Test": 0.98}), measure.row("maskkit", [0.1])]
    assert rows[0]["median_seconds"] == 2.0 and rows[0]["spread"] == [1.0, 3.0] and rows[0]["n"] == 3
    content = measure.write("report", rows, {"cold_vs_plain": 20.0}, setting=measure.machine())
    assert {"load_before", "versions", "processor", "threads"} <= content["setting"].keys()
    assert (tmp_path / "report.json").is_file()


def test_the_figure_is_labelled_and_shows_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    fig = measure.points([measure.row("plain", [3.0, 1.0]), measure.row("maskkit", [0.1])], "The report")
    (ax,) = fig.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["plain", "maskkit"]
    assert "seconds" in ax.get_xlabel() and fig.get_suptitle() == "The report"
    measure.save(fig, "report")
    assert {path.name for path in tmp_path.iterdir()} == {"report.png", "report.svg"}


@pytest.mark.parametrize("name", ["report", "extraction", "growth", "start", "threads", "scale", "explore"])
def test_every_script_says_how_it_is_used(name):
    text = (paths.ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    assert f"usage: python benchmarks/{name}.py" in text and f"results/{name}.json" in text


def test_agreement_with_a_list_by_hand():
    truth = np.array(["a", "a", "a", "b", "b", "", ""])
    groups = np.array([0, 0, 1, 1, 2, 2, 2])  # of a's 3 pairs one, of b's one none; a with b, b with two distractors
    assert leak_benchmark.agreement(groups, truth) == (1 / 4, 1 / 4)
    assert leak_benchmark.agreement(np.arange(7), truth) == (0.0, None)
    assert leak_benchmark.agreement(np.array([0, 0, 0, 1, 1, 2, 2]), truth) == (1.0, 1.0)
