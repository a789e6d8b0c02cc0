"""The mark `fault`, of which docs/faults.md is made."""

import json
from collections import defaultdict

from faults.catalogue import KINDS


def pytest_addoption(parser):
    parser.addoption("--faults-json", action="store_true", help="print the marks `fault` of what was collected")


def pytest_collection_finish(session):
    if not session.config.getoption("--faults-json"):
        return
    found = defaultdict(list)
    for item in session.items:
        for mark in item.iter_markers("fault"):
            kind, fault = mark.args
            assert kind in KINDS, f"{item.nodeid}: {kind!r} is none of {KINDS}"
            test = f"{item.path.stem}.{item.originalname}"
            found[kind, fault] += [test] if test not in found[kind, fault] else []
    print("faults: " + json.dumps([[kind, fault, tests] for (kind, fault), tests in found.items()]))
