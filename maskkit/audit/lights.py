"""Six lights: what the audit's numbers mean for somebody who wants to know whether to believe the score.

Each light compares one 95 % interval with two limits: green where all of it lies on the good side of the first, red
where all of it lies on the bad side of the second, amber between them or where too few photos leave it open, unknown
where it was not measured.
"""

NOT_YET = "not measured yet: make trust"
LUCK = 0.05  # accuracy: two photos of 40
TITLES = {
    "split_luck": "Luck of the split",
    "leaks": "Leaks between the parts",
    "shortcuts": "Shortcuts that see no mask",
    "mouth": "Looks at the mouth",
    "other_source": "Photos from elsewhere",
    "calibration": "Calibration",
}
LIMITS = {  # (green, red); for shortcuts and other_source relative to the set's own accuracy, see below
    "split_luck": (0.05, 0.20),
    "leaks": (0.01, 0.05),
    "shortcuts": (0.25, 0.50),
    "mouth": (2 / 3, 1 / 2),
    "other_source": (0.05, 0.10),
    "calibration": (0.05, 0.10),
}
REASONS = {
    "split_luck": "one split in twenty that misleads by more than two photos of 40 is chance anyone accepts; one in "
    "five means that a single score says little",
    "leaks": "one held-out photo in a hundred cannot move a score of 40 photos; one in twenty moves it by two; every "
    "photo is looked at, so the count itself is judged, not its interval",
    "shortcuts": "limits lie a quarter and half of the way from guessing to the model's accuracy: beyond half, a rule "
    "that cannot see a mask does most of what the model does",
    "mouth": "a model that does not look at the mouth loses as much by a hidden upper half, in one photo of two; one "
    "that does should lose more by the lower half in two photos of three",
    "other_source": "limits lie 5 and 10 points below the accuracy on this set's own unseen photos: twice what chance "
    "moves a score of some hundred photos by",
    "calibration": "5 points is what a reader overlooks in a stated confidence; at 10, one in ten of the sure answers "
    "is wrong without a warning",
}


def judge(interval, green, red):
    """green | amber | red | unknown for a 95 % interval; green < red where small is good, else large is."""
    if interval is None:
        return "unknown"
    low, high = interval
    if green < red:
        return "green" if high <= green else "red" if low >= red else "amber"
    return "green" if low >= green else "red" if high <= red else "amber"


def light(name, entry, limits=None, judged=None):
    """One light of `audit.json`, made of an entry that was measured.

    Args:
        name: one of TITLES; entry: has value, interval, n, sentence.
        limits: (green, red) where they depend on the set, else LIMITS'.
        judged: the interval to judge, where that is not the entry's own.
    """
    green, red = limits or LIMITS[name]
    found = judge(judged or entry["interval"], green, red) if entry["value"] is not None else "unknown"
    return {
        "value": entry["value"],
        "interval": entry["interval"],
        "n": entry["n"],
        "light": found,
        "sentence": entry["sentence"],
        "title": TITLES[name],
        "thresholds": {"green": green, "red": red},
        "reason": REASONS[name],
    }


def unknown_yet(light):
    """A light of which only a part was measured, and that part is fine: still unknown."""
    return light | {"light": "unknown", "sentence": f"{NOT_YET} (so far: {light['sentence']})"}


def unknown(name, why):
    """A light without data."""
    return light(name, {"value": None, "interval": None, "n": 0, "sentence": why})
