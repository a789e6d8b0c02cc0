"""Checks that a user has muted: what MUTE may say, and what it does to an audit."""

import pytest
from conftest import recorded_audit

from maskkit.core import mutes


def results(audit):
    return {name: result["result"] for name, result in audit["results"].items()}


def test_codes_and_reasons_are_read():
    assert mutes.read("") == {} == mutes.read(" ; ")
    assert mutes.read("MK003: two cameras, known; MK006:scans:\nall of them") == {
        "MK003": "two cameras, known",
        "MK006": "scans: all of them",
    }


@pytest.mark.parametrize("text", ["MK003", "MK003:", "MK003: ", "leaks: no", "MK3: no", "MK003: a; MK003: b", 3, None])
def test_what_names_no_code_or_no_reason_is_refused(text):
    assert not mutes.is_text(text)
    with pytest.raises(ValueError, match="MUTE must be"):
        mutes.read(text)


def test_a_muted_check_keeps_its_value_and_counts_neither_as_pass_nor_as_fail():
    audit = recorded_audit()
    audit["results"]["leaks"]["result"] = "pass"
    before = results(audit)
    mutes.apply(audit, {"MK002": "known"})
    assert results(audit) == before | {"leaks": "muted"}
    leaks = audit["results"]["leaks"]
    assert mutes.measured_result(leaks) == "pass" and leaks["value"] == recorded_audit()["results"]["leaks"]["value"]
    assert {entry["result"] for entry in audit["leaks"].values()} == {"muted"}
    assert mutes.of_audit(audit) == {"MK002": "known"}


def test_muting_again_and_no_more():
    audit = recorded_audit()
    mutes.apply(audit, {"MK002": "known", "MK006": "no result of its own"})
    mutes.apply(audit, {"MK002": "known for long"})
    assert mutes.of_audit(audit) == {"MK002": "known for long"}
    mutes.apply(audit, {})
    assert audit == recorded_audit()
