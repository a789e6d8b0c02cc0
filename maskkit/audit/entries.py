"""Entries of audit.json: a value with its 95 % interval, the number of photos, and one plain sentence.

An entry holds value and interval (fractions 0..1, or None), n, sentence, message where the sentence is made of a
template, and what its figure needs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maskkit.core import intervals
from maskkit.core.messages import message, said

Entry = dict[str, Any]
Message = dict[str, Any]  # {"id", "values"}, as `core.messages` has it
UNAVAILABLE = said("its weights are not available")  # of a network
Rate = tuple[float | None, Sequence[float] | None, int]  # value, its interval, how many photos; None of no photo


def entry(value: float | None, interval: Sequence[float] | None, n: int, sentence: str | Message, **more: Any) -> Entry:
    """An entry.

    Args:
        sentence: as `messages.said` returns it, or free text, which has no translation.
        more: further keys.
    """
    words = {"sentence": sentence} if isinstance(sentence, str) else sentence
    return {"value": value, "interval": interval, "n": int(n)} | words | more


def counted(count: int, n: int, sentence: str | Message, **more: Any) -> Entry:
    """The entry of a count of n, with Wilson's interval."""
    return entry(count / n, list(intervals.wilson(count, n)), n, sentence, **more)


def unknown(sentence: str | Message) -> Entry:
    """An entry without data; the sentence says why."""
    return entry(None, None, 0, sentence)


def undefined(why: str | Message, **more: Any) -> Entry:
    """An entry that could not be measured on these photos; `why` is free text or a message."""
    return entry(None, None, 0, said("not measured: {why}", why=why), **more)


def rate(correct: np.ndarray, groups: np.ndarray, seed: int) -> Rate:
    """The share of photos that are right, its interval, and how many photos there are; as `intervals.rate`."""
    value, interval = intervals.rate(correct, groups, seed)
    return value, interval, len(correct)


def with_interval(value: float | None, interval: Sequence[float] | None) -> Message:
    """'96.7 % (95 % interval 95.2-97.7 %)'."""
    if value is None:
        return message("not measured")
    return message("{share:percent} (95 % interval {ends:interval})", share=value, ends=interval)


def judge(interval: Sequence[float] | None, passing: float, failing: float) -> str:
    """pass | warning | fail | unknown: where a 95 % interval lies between two limits.

    Pass where all of it lies on the good side of the first limit, fail where all of it lies on the bad side of the
    second, warning where neither. Small values are good where passing < failing, else large ones.
    """
    if interval is None:
        return "unknown"
    low, high = interval
    if passing < failing:
        return "pass" if high <= passing else "fail" if low >= failing else "warning"
    return "pass" if low >= passing else "fail" if high <= failing else "warning"
