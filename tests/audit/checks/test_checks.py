"""What every check has to say of itself, and how results come about."""

import dataclasses
import inspect
import re

import pytest

from maskkit.audit.checks import CHECKS
from maskkit.audit.checks.check import Check, Measured
from maskkit.audit.entries import entry, undefined
from maskkit.core.messages import message, said
from tests.audit.synthetic import CONTEXT


def named(**more):
    words = {"detected": "By light.", "matters": "It does.", "advice": "Wait."}
    given = ("MK999", "dark", "Dark photos", lambda *_: Measured(), {"dark": "Look at it."})
    return Check(*given, **words, name="dark", **more)


def test_keys_are_told_apart_and_texts_are_complete():
    assert len({check.section for check in CHECKS}) == len(CHECKS) == len({check.code for check in CHECKS})
    named_checks = [check for check in CHECKS if check.name]
    assert len({check.name for check in named_checks}) == len(named_checks)
    for check in CHECKS:
        assert re.fullmatch(r"MK\d{3}", check.code) and check.detected and check.matters and check.advice
        assert check.section_title and all(check.look_for.values()) and set(check.shown) <= set(check.look_for)
    for check in named_checks:
        assert check.title and check.reason and check.limits[0] != check.limits[1]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.section)
def test_a_check_lies_in_the_module_of_its_functions(check):
    assert inspect.getmodule(check.measure).CHECK is check


def test_the_judged_entry_gives_the_result_and_its_limits():
    shares = {"night": entry(0.3, [0.25, 0.35], 200, said("{share:percent} are dark", share=0.3))}
    result = named(title="Dark photos", limits=(0.1, 0.2)).result(Measured(shares, shares["night"]))
    assert result["result"] == "fail" and result["sentence"] == "30.0 % are dark" and result["n"] == 200
    assert result["message"] == {"id": "{share:percent} are dark", "values": {"share": 0.3}}
    assert result["thresholds"] == {"pass": 0.1, "fail": 0.2} and result["title"] == "Dark photos"


def test_limits_of_the_photos_at_hand_come_first():
    shares = {"night": entry(0.3, [0.25, 0.35], 200, "free text")}
    result = named(limits=(0.1, 0.2)).result(Measured(shares, shares["night"], limits=(0.4, 0.6)))
    assert result["result"] == "pass" and result["thresholds"]["pass"] == 0.4
    assert result["sentence"] == "free text" and "message" not in result


def test_entries_get_the_result_unless_they_were_judged_themselves_or_not_measured():
    value = entry(0.3, [0.25, 0.35], 200, "dark")
    entries = {"night": value, "dusk": value | {"result": "pass"}, "fog": undefined("no photo")}
    judged = named().judged_entries(Measured(entries), "fail")
    assert [judged[key]["result"] for key in entries] == ["fail", "pass", "unknown"]


def test_an_entry_is_named_by_the_check_else_by_its_title_else_by_its_key():
    entries = {key: entry(0.3, None, 200, "dark") for key in ("a", "b_c")} | {"d": undefined("x", title="fog")}
    described = named().describe(Measured(entries, names={"a": {"id": "night", "values": {}}}))
    assert [name["id"] for name in described["entries"].values()] == ["night", "b c", "fog"]


def test_an_entry_is_named_by_the_message_of_its_title():
    words = message("the recipe ({arch})", arch="a")
    entries = {"model": entry(0.3, None, 200, "dark", title="the recipe (a)", messages={"title": words})}
    assert named().describe(Measured(entries))["entries"]["model"] == words


def test_figures_are_drawn_in_the_language_of_the_context():
    check = named(draw=lambda audit, *, language: language)
    context = dataclasses.replace(CONTEXT, language="id")
    measured = {"dark": {"night": entry(0.3, [0.25, 0.35], 200, "dark")}}
    assert list(check.figures(measured, None, context)) == [("dark", "id")]


@pytest.mark.parametrize("check", [check for check in CHECKS if check.draw], ids=lambda check: check.section)
def test_what_was_not_measured_has_no_figure(check):
    check = dataclasses.replace(check, draw_photos=None)
    for entries in ({}, {"first": undefined("no photo"), "second": undefined("no photo")}):
        assert not list(check.figures({check.section: entries}, None, CONTEXT))


def test_a_check_that_was_not_measured_says_how_to():
    result = named().result(Measured())
    assert result["result"] == "unknown" and result["sentence"] == "not measured yet: make trust"
