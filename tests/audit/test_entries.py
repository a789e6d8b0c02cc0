"""How an interval is judged by two limits."""

from maskkit.audit.entries import judge


def test_judging_by_intervals():
    assert judge((0.0, 0.04), 0.05, 0.2) == "pass" and judge((0.3, 0.4), 0.05, 0.2) == "fail"
    assert judge((0.04, 0.3), 0.05, 0.2) == "warning" and judge(None, 0.05, 0.2) == "unknown"
    assert judge((0.7, 0.9), 2 / 3, 0.5) == "pass" and judge((0.2, 0.4), 2 / 3, 0.5) == "fail"
