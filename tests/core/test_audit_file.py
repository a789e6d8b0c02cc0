"""audit.json: what is damaged or of another version is refused, with the place and what to do."""

import json

import pytest
from conftest import recorded_audit

from maskkit.core import audit_file, disk


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(audit):
        for key in path:
            audit = audit[key]
        audit[last] = value

    return change


DAMAGE = {
    "version": (put("version", 1), "its version is 1"),
    "no results": (put("results", {}), "results.split_variance is missing"),
    "no checks": (put("checks", []), "checks must contain at least 1 items"),
    "section": (put("leaks", []), "leaks must be object"),
    "value": (put("results", "leaks", "value", "high"), "results.leaks.value must be number or null"),
    "infinite": (put("splits", "mobilenet_v2_last", "value", float("inf")), "Infinity is not JSON"),
    "no number": (put("splits", "mobilenet_v2_last", "value", float("nan")), "NaN is not JSON"),
    "interval": (put("results", "mouth", "interval", [0.5]), "results.mouth.interval must contain at least 2"),
    "colour": (put("calibration", "ece", "result", ["pass"]), "calibration.ece.result must be one of"),
    "bins": (put("calibration", "ece", "bins", [{}]), "calibration.ece.bins[0] must contain"),
    "files": (put("files", "near_grey", "files", [1]), "files.near_grey.files[0] must be string"),
    "entry": (put("against", "forward", 0.9), "against.forward must be object"),
    "message": (put("against", "forward", "message", {"id": 1}), "against.forward.message must contain"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_audit_is_refused_with_its_place(tmp_path, name):
    change, place = DAMAGE[name]
    audit = recorded_audit()
    change(audit)
    # json.dumps of the standard library, unlike write_json, lets what is no number through
    disk.write_text(tmp_path / "audit.json", json.dumps(audit))
    found, problem = audit_file.read(tmp_path, "check")
    assert found is None and place in problem["sentence"]
    assert problem["sentence"].endswith("Remove the file, then: make trust RUN=check")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "1", "[" * 100_000, '{"version": 2}'])
def test_what_is_no_audit_is_refused(tmp_path, content):
    assert audit_file.read(tmp_path) == (None, None)
    (tmp_path / "audit.json").write_text(content)
    found, problem = audit_file.read(tmp_path)
    assert found is None and problem["sentence"].startswith("audit.json cannot be used")


def test_a_good_audit_is_read_as_it_is(tmp_path):
    disk.write_json(tmp_path / "audit.json", recorded_audit())
    assert audit_file.read(tmp_path) == (recorded_audit(), None)


def test_what_was_not_measured_yet_is_told_apart():
    assert audit_file.is_pending(audit_file.NOT_YET)
    assert not audit_file.is_pending(recorded_audit()["results"]["leaks"])
