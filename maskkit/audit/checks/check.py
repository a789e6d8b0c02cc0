"""What a check of the audit is: one question, its measurement, its limits, its figures and its words.

To add a check, write one file in this folder that ends with `CHECK = Check(...)`, and add it to the list in
`__init__.py`. The audit, its figures and the pages take everything from there.

A page knows a check only by what `Check.describe` writes into audit.json, a list in the order of the page:

    "checks": [
        {
            "code": "MK002",                   never changes, and is never given to another check
            "detected": "Three detectors ...", "matters": "...", "advice": "...",   how, why, and what to do
            "muted": null,                     or the reason for which the user muted it (`core.mutes`)
            "name": "leaks",                   key of the check's result in "results"; null where it has none
            "section": "leaks",                key of its entries in audit.json
            "title": "Leaks between the sets",             of the result; "" where there is none
            "section_title": "Near copies in both sets",   heading of the page's section
            "figures": ["leaks"],              figures/trust_<name>.png, the section's main figure first
            "look_for": {"leaks": "Look for ..."},         {figure: a sentence below it}, one for each figure
            "shown": {},                       {figure: what it shows}, for figures that do not show the entries
            "entries": {"sha256": {"id": "the same bytes (SHA-256)", "values": {}}},
                                               {key of every entry: its name as a message of `core.messages`}
            "kinds": {},                       {an entry's "kind": words for it}
            "sensitivity": "How often ...",    how often it was right on planted folders; missing where that is unknown
            "messages": {"sensitivity": {...}}
        },
        ...
    ]

Every entry, and every result in "results", holds "sentence" (English) and, unless the sentence is free text such as the
words of an exception, "message" ({"id", "values"} of `core.messages`). "title", "reason", "section_title", "detected",
"matters", "advice", "look_for", "shown", "kinds" and an entry's "sees" are constant texts, so they are message ids
themselves. An entry whose "measured_on" is made of a template has it in entry["messages"]["measured_on"].
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure

from maskkit.audit import figures, sensitivity
from maskkit.audit.audited import Audited
from maskkit.audit.entries import Entry, Message, judge, unknown
from maskkit.audit.survey import Survey
from maskkit.core.audit_file import NOT_YET
from maskkit.core.messages import message
from maskkit.sources.folders import Source

Audit = dict[str, Any]  # what audit.json holds
Limits = tuple[float, float]  # pass up to or from the first, fail from or down to the second


@dataclasses.dataclass(frozen=True)
class Context:
    """What a measurement needs beside photos and model.

    other_source: photos of another source, or None.
    is_sample: the photos are those that one run drew, so a count among them is an estimate for their source.
    language: of the figures.
    """

    device: torch.device
    seed: int
    other_source: tuple[Source, Survey] | None = None
    is_sample: bool = False
    language: str = "en"


@dataclasses.dataclass
class Measured:
    """What a check found.

    entries: by key; one with a "result" of its own keeps it, the others get the check's result.
    judged: the entry that is judged; one without a value says why nothing was measured.
    interval: what is judged, where that is not the judged entry's own; limits: where they depend on the photos.
    names: of entries that have no "title".
    """

    entries: dict[str, Entry] = dataclasses.field(default_factory=dict)
    judged: Entry = dataclasses.field(default_factory=lambda: unknown(NOT_YET))
    interval: Sequence[float] | None = None
    limits: Limits | None = None
    names: dict[str, Message] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Check:
    """One question of the audit; the words as `describe` writes them.

    code: stable, for people and for MUTE; detected, matters, advice: how it is detected, why it matters, what to do.
    section, section_title: of its entries; name, title, limits, reason: of its result, none where it has no result.
    step: a line for who waits, before the check begins.
    measure: the measurement.
    draw: the main figure, trust_<section>, from audit.json alone, in a `language`.
    draw_photos: figures that show photos, by name.
    """

    code: str
    section: str
    section_title: str
    measure: Callable[[Audited, Context], Measured]
    look_for: Mapping[str, str]
    detected: str
    matters: str
    advice: str
    step: str = ""
    name: str | None = None
    title: str = ""
    limits: Limits = (0.0, 1.0)
    reason: str = ""
    draw: Callable[..., Figure] | None = None
    draw_photos: Callable[[Audit, Audited, Context], Iterator[tuple[str, Figure]]] | None = None
    shown: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def result(self, measured: Measured) -> Entry:
        """The result in audit.json's "results"."""
        judged = measured.judged
        limits = measured.limits or self.limits
        result = judge(measured.interval or judged["interval"], *limits) if judged["value"] is not None else "unknown"
        words: Message = {name: judged[name] for name in ("sentence", "message") if name in judged}
        numbers = {name: judged[name] for name in ("value", "interval", "n")}
        given = {"title": self.title, "thresholds": {"pass": limits[0], "fail": limits[1]}, "reason": self.reason}
        return numbers | {"result": result} | words | given

    def judged_entries(self, measured: Measured, result: str) -> dict[str, Entry]:
        """The entries, each with its "result": its own, or the check's result; unknown where it has no value."""
        return {
            key: entry | {"result": entry.get("result", result) if entry["value"] is not None else "unknown"}
            for key, entry in measured.entries.items()
        }

    def describe(self, measured: Measured) -> dict[str, Any]:
        """The check as an item of "checks" in audit.json."""
        return {
            "code": self.code,
            "detected": self.detected,
            "matters": self.matters,
            "advice": self.advice,
            "muted": None,
            "name": self.name,
            "section": self.section,
            "title": self.title,
            "section_title": self.section_title,
            "figures": list(self.look_for),
            "look_for": dict(self.look_for),
            "shown": dict(self.shown),
            "entries": {key: measured.names.get(key) or name_of(entry, key) for key, entry in measured.entries.items()},
            "kinds": dict(self.kinds),
        } | sensitivity.describe(self.section)

    def figures(self, audit: Audit, audited: Audited, context: Context) -> Iterator[tuple[str, Figure]]:
        """(name, figure) of each figure that there is something for: none of a section without a measured entry."""
        if self.draw and any(map(figures.is_measured, audit[self.section].values())):
            yield self.section, self.draw(audit, language=context.language)
        if self.draw_photos:
            yield from self.draw_photos(audit, audited, context)


def name_of(entry: Entry, key: str) -> Message:
    """The name of an entry that has a title, or of its key in words."""
    title: Message | None = entry.get("messages", {}).get("title")
    return title or message(entry.get("title") or key.replace("_", " "))
