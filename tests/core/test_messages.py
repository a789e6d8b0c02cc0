import json

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
