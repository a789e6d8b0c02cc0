"""How often a check is right, measured on folders with planted faults.

The numbers stand in sensitivity.json beside this file; benchmarks/planted.py writes it. For each section of audit.json:

    "leaks": {
        "found": 98, "planted": 100,    folders with the fault, and how many of them the check turned red
        "dose": 0.05,                   the smallest dose that it finds so often; else the largest that was planted
        "fault": "copies-crop",         the fault that it finds least often at this dose, a key of FAULTS
        "alarms": 2, "clean": 100       clean folders, and how many of them got a warning or worse
    }
"""

import functools
import json
from pathlib import Path
from typing import Any

from maskkit.core.messages import fields, message, translatable

PATH = Path(__file__).with_name("sensitivity.json")
IN_ONE_CLASS = translatable(
    "How often it is right: with {fault} in {dose:percent} of one class it fails in {found} of {planted} planted "
    "folders; of {clean} clean folders {alarms} get a warning or worse."
)
STATEMENTS = {
    "leaks": translatable(
        "How often it is right: with {dose:percent} of the held-out photos {fault} it fails in {found} of {planted} "
        "planted folders; of {clean} clean folders {alarms} get a warning or worse."
    ),
    "shortcuts": IN_ONE_CLASS,
    "files": translatable(
        "How often likely wrong labels are right: with {dose:percent} wrong labels it fails in {found} of {planted} "
        "planted folders; of {clean} clean folders {alarms} get a warning or worse."
    ),
    "regions": IN_ONE_CLASS,
    "calibration": translatable(
        "How often it is right: with a confidence {dose:g} times too high or too low it fails in {found} of {planted} "
        "planted folders; of {clean} folders with a calibrated model {alarms} get a warning or worse."
    ),
    "weak_groups": translatable(
        "How often it is right: with {dose:percent} more wrong answers in a dark fifth of the photos it fails in "
        "{found} of {planted} planted folders; of {clean} clean folders {alarms} get a warning or worse."
    ),
    "against": translatable(
        "How often it is right: with another source that costs {loss:percent} accuracy it fails in {found} of "
        "{planted} planted folders; of {clean} with a second half of the same source {alarms} get a warning or worse."
    ),
}
FAULTS = {
    "copies-bytes": message("exact copies of training photos"),
    "copies-jpeg": message("re-saved copies of training photos"),
    "copies-crop": message("cut copies of training photos"),
    "copies-mirror": message("mirrored copies of training photos"),
    "copies-light": message("lighter or darker copies of training photos"),
    "shortcut-size": message("one size"),
    "shortcut-border": message("a black border"),
    "shortcut-jpeg": message("a lower JPEG quality"),
    "shortcut-brightness": message("less light"),
    "shortcut-background": message("one background"),
    "background-model": message("one background"),
}


@functools.cache
def read() -> dict[str, Any]:
    """{section: numbers} of sensitivity.json, with "measured": {first, last, processors, torch}."""
    measured: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return measured


def describe(section: str) -> dict[str, Any]:
    """The sentence of a section as a field of a record in audit.json; {} where its check was not measured so."""
    numbers = read()["sections"].get(section)
    if numbers is None:
        return {}
    values = numbers | ({"fault": FAULTS[numbers["fault"]]} if numbers["fault"] in FAULTS else {})
    return fields(sensitivity=message(STATEMENTS[section], **values))
