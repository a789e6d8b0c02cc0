import json
import pickle

import pytest

from maskkit.core import messages


def test_a_sentence_is_kept_with_its_id_and_values():
    entry = messages.said("{n:,} of {photos}: {share:percent} ({ends:interval})", n=1234, photos="x", share=0.975,
                          ends=[0.871, 0.996])  # fmt: skip
    assert entry["sentence"] == "1,234 of x: 97.5 % (87.1-99.6 %)"
    assert json.loads(json.dumps(entry))["message"]["id"].startswith("{n:,} of")


def test_it_is_said_in_another_language_with_that_language_s_numbers_and_parts():
    words = {"{n:,} of {part}": "{n:,} dari {part}", "the {which} part": "bagian {which}"}
    part = messages.message("the {which} part", which="1,5")
    found = messages.format_message(
        "{n:,} of {part}", {"n": 1234, "part": part}, translate=words.get, localize=lambda text: text.replace(",", ".")
    )
    assert found == "1.234 dari bagian 1,5"


@pytest.mark.parametrize("kind", [messages.SaidValueError, messages.SaidFileNotFoundError])
def test_an_exception_keeps_its_message_also_in_another_process(kind):
    error = kind([messages.said("{n} photos", n=3), messages.said("by hand")])
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert str(each) == "3 photos\nby hand"
        assert messages.reason_of(each) == {"id": "{n} photos", "values": {"n": 3}}


def test_the_text_of_a_library_s_exception_stays_as_it_is():
    assert messages.reason_of(OSError("no space")) == "no space"
    assert messages.lines_of(ValueError()) == [{"sentence": "ValueError"}]
