"""Names of classes: in natural order, short, and never two that look alike."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maskkit.core import class_names

DIFFER = ("A", "B", "C1", "C2")
LONG = [f"long shared prefix of many words, then {which}, then a long shared suffix" for which in DIFFER]
LETTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z", "M", "Cf", "Co"))
NAMES = st.one_of(
    st.lists(st.text(LETTERS, min_size=1, max_size=60), unique=True, min_size=1, max_size=30),
    st.lists(st.text("ab1 …#", min_size=1, max_size=40), unique=True, min_size=2, max_size=40),  # much alike
    st.builds(  # long names that share beginning and end
        lambda before, inner, after: [before + part + after for part in inner],
        st.text("xy ", max_size=40),
        st.lists(st.text("01a", max_size=30), unique=True, min_size=2, max_size=20),
        st.text("xy ", max_size=40),
    ).filter(lambda names: all(names)),
)


@settings(max_examples=300, deadline=None)
@given(NAMES, st.integers(8, 30), st.booleans())
@example(["a", "a\u200b", "a "], 8, False)
@example(["caf\u00e9", "cafe\u0301"], 24, False)
@example(["\u53e3\u7f69", "\u5934\u76d4"], 24, True)
@example(["\u25a1\u25a1 #1", "\u53e3\u7f69", "\u5934\u76d4"], 24, True)
@example(["x" * 20 + " #2", "x" * 21 + " #2", "x" * 22], 8, False)
def test_shortened_names_are_short_and_never_alike(names, length, boxes):
    drawn = (lambda text: "".join(c if ord(c) < 0x3000 else "□" for c in text)) if boxes else str
    found = class_names.shorten(names, length, drawn)
    assert len(found) == len(names) and all(len(text) <= length for text in found)
    assert not class_names.look_alike(found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abcdef 0123", min_size=1, max_size=12).map(str.strip), unique=True, min_size=1, max_size=20))
def test_names_that_fit_stay_as_they_are(names):
    if not class_names.look_alike(names):
        assert class_names.shorten(names, 12) == names


@pytest.mark.parametrize("length", [14, 18, 24])
def test_what_differs_is_kept_and_what_is_shared_before_it_is_cut(length):
    for name, which in zip(class_names.shorten(LONG, length), DIFFER, strict=True):
        assert f"…{which}" in name and name.startswith("long")


@pytest.mark.parametrize("length", [14, 18, 24])
def test_whole_numbers_are_kept(length):
    names = [f'photographs of class {number} "x" é, of the second kind' for number in range(1, 31)]
    for number, name in enumerate(class_names.shorten(names, length), 1):
        assert f" {number} " in f" {name} ".replace("…", " ") and "…" in name


def test_one_long_name_is_cut_in_its_middle():
    assert class_names.shorten(["0123456789abcdefghij", "b"], 9) == ["0123…ghij", "b"]


def test_what_cannot_be_told_apart_gets_its_place():
    def boxes(text):
        return "".join(letter if letter.isascii() else "□" for letter in text)

    names = ["b", "\u53e3\u7f69", "\u5934\u76d4", "c \u53e3", "\u53e3", "!"]
    assert class_names.shorten(names, 24, boxes) == ["b", "□□ #2", "□□ #3", "c □", "□ #5", "!"]


def test_too_few_characters_are_refused():
    with pytest.raises(ValueError, match="cannot be told apart in 3 characters"):
        class_names.shorten(["a", "b"], 3)


def test_numbers_inside_names_sort_by_their_value():
    names = ["class 10", "class 2", "class 1", "class 2b", "10", "9", "a", "with_mask", "without_mask"]
    random.Random(0).shuffle(names)
    shown = [names[place] for place in class_names.natural_order(names)]
    assert [name for name in shown if name.startswith("class")] == ["class 1", "class 2", "class 2b", "class 10"]
    assert shown.index("9") < shown.index("10")
    assert shown.index("with_mask") < shown.index("without_mask")
    assert class_names.first(names, 3) == shown[:3]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=20), unique=True, max_size=20))
def test_any_names_have_an_order_that_does_not_depend_on_how_they_come(names):
    shown = class_names.first(names, 99)
    assert sorted(shown) == sorted(names) and class_names.first(names[::-1], 99) == shown
