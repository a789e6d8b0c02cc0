"""audit.html and the audit's part of report.html: complete, escaped, self-contained, plain about what is missing."""

import copy
import json
import re

import pytest
from PIL import Image
from test_page import NASTY, read

from maskkit import evaluate, runs
from maskkit.core import disk
from maskkit.html import audit_section, markup

ODD = "caf\udce9.png"  # a file name that is no UTF-8
TITLES = ("Luck of the split", "Leaks", "Shortcuts", "Mouth", "Another source", "Calibration")
FIGURES = [name for _, names in audit_section.SECTIONS.values() for name in names] + ["lights"]


def entry(value, light="unknown", sentence="What was found, in one sentence.", n=3792, **more):
    ends = None if value is None else [max(0.0, value - 0.02), min(1.0, value + 0.02)]
    return {"value": value, "interval": ends, "n": n, "light": light, "sentence": sentence} | more


def sample(colours=("green", "amber", "red", "green", "amber", "green"), classes=("with_mask", "without_mask")):
    """An audit with everything in it; the six lights have the given colours, unknown ones no value."""
    builders = (splits, leaks, shortcuts, regions, against, files, calibration)
    whole = dict(zip(audit_section.SECTIONS, builders, strict=True))
    lamp = zip(audit_section.LIGHTS, TITLES, colours, strict=True)
    return {
        "version": 2,
        "photos": "Kaggle 12K",
        "classes": list(classes),
        "n": 3792,
        "arch": "resnet18",
        "model": "run check",
        "scope": "whole",
        "networks": {
            "resnet18": {"weights": "imagenet", "note": ""},
            "mobilenet_v2": {"weights": None, "note": "unknown: its weights cannot be had without the network"},
        },
        "lights": {key: light(title, colour, key in ("mouth", "other_source")) for key, title, colour in lamp},
        **{name: build(len(classes)) if name == "against" else build() for name, build in whole.items()},
        "seconds": {"splits": 12.34},
        "run": {"name": "check", "started": "2026-11-24T03:47:56+00:00"},
    }


def light(title, colour, large_is_good):
    value = {"green": 0.03, "amber": 0.12, "red": 0.31}.get(colour)
    limits = {"green": 0.05, "red": 0.2}
    if large_is_good:
        value, limits = None if value is None else 1 - value, {"green": 0.95, "red": 0.8}
    said = f"{title} was measured on 3,792 photos, and this is what it means for the report's 97.5 %."
    said = said if colour != "unknown" else "Unknown: fewer than 50 photos of each class could be compared."
    reason = "One photo of forty is 2.5 points; a fifth of the photos would change the report's conclusion."
    return entry(value, colour, said, title=title, thresholds=limits, reason=reason)


def splits():
    counts = [0] * 34 + [3, 18, 70, 190, 330, 289, 100]
    name = "resnet18_"
    return {
        f"{name}last": entry(
            0.957,
            sentence="A split's score lies between 90.0 and 100.0 %.",
            distribution=counts,
            n_splits=1000,
            n_val=40,
        ),
        f"{name}best": entry(
            0.974, distribution=counts, n_splits=1000, n_val=40, flattery=0.009, flattery_interval=[0.006, 0.012]
        ),
        f"{name}reach": entry(0.389, n=1000, report=0.975),
        f"{name}unseen": entry(0.958),
        f"{name}unseen_best": entry(0.965),
        "mobilenet_v2_last": entry(None, sentence="Unknown: its weights cannot be had without the network.", n=0),
    }


def leaks():
    counted = {"pairs": 1212, "pairs_across_parts": 33, "pairs_across_classes": 0, "groups": 97}
    counted["photos_in_groups"] = 201
    found = {name: entry(0.05, "amber", **counted) for name in ("sha256", "perceptual_hash", "alignment", "all")}
    by = {"sha256": 0.01, "perceptual_hash": 0.1, "alignment": 0.8}
    return found | {"held_out": entry(0.12, "amber", by_detector=by, held_out="Test and Validation")}


def shortcuts():
    kinds = {
        "guess": "guess",
        "width_height": "blind",
        "metadata": "blind",
        "border": "blind",
        "file_size": "weak",
        "sharpness": "weak",
        "thumbnail": "weak",
        "hog": "weak",
        "random_network": "weak",
        "model": "real",
    }
    return {
        name: entry(
            0.5 + 0.048 * rank,
            "red" if name == "metadata" else "green",
            kind=kind,
            measured_on="5 folds",
            title=name.replace("_", " "),
            sees=f"what {name} tells",
        )
        for rank, (name, kind) in enumerate(kinds.items())
    }


def regions():
    found = {"resnet18_whole": entry(0.98, arch="resnet18", hidden="whole", fill=None)}
    for hidden in ("lower_half", "upper_half", "background"):
        for fill in ("blur", "mean"):
            found[f"resnet18_{hidden}_{fill}"] = entry(0.8, arch="resnet18", hidden=hidden, fill=fill)
    return found | {"resnet18_mouth": entry(0.83, "green", arch="resnet18")}


def against(n_classes):
    classes = ["with_mask", "without_mask", "wrongly_worn"][:n_classes]
    matrix = [[90 if true == called else 5 for called in range(n_classes)] for true in range(n_classes)]
    wrong = [
        {"file": f"with_mask/{k}.png", "label": "with_mask", "predicted": "without_mask", "probability": 0.7}
        for k in range(103)
    ]
    there = {"folder": "other-masks", "confusion": matrix, "per_class": evaluate.per_class(matrix, classes)}
    there |= {"balanced": True, "own": 0.985}
    nothing = {"confusion": None, "per_class": None, "own": None, "mistakes": []}
    return {
        "forward": entry(0.87, "amber", mistakes=wrong, **there),
        "forward_last": entry(0.86, "amber", mistakes=[], **there),
        "backward": entry(None, n=0, sentence="undefined: too few photos of a class there", **there | nothing),
    }


def files():
    kinds = {"undecodable": 2, "black_or_flat": 0, "extreme_size": 7, "near_grey": 140, "likely_wrong_label": 100}
    return {
        kind: entry(
            n / 3792,
            "green" if n < 100 else "amber",
            title=kind.replace("_", " "),
            files=[f"WithMask/{k:04d}.png" for k in range(n)],
        )
        for kind, n in kinds.items()
    }


def calibration():
    bins = [{"confidence": c, "accuracy": c - 0.02, "n": 300, "interval": [c - 0.05, c]} for c in (0.6, 0.8, 0.97)]
    curve = [{"threshold": t, "answered": 1 - t / 4, "error": 0.02 - t / 60, "n": 3000} for t in (0.5, 0.7, 0.9)]
    return {
        "ece": entry(0.031, "green", bins=bins),
        "ece_scaled": entry(0.012, "green", bins=bins, temperature=0.613),
        "dont_know": entry(0.006, "green", threshold=0.9, answered=0.94, curve=curve),
    }


def instant():
    """What 03_evaluate measures by itself."""
    audit = sample(("amber", *["unknown"] * 5)) | {"scope": "instant"}
    for key in audit_section.LIGHTS[1:]:
        audit["lights"][key]["sentence"] = audit_section.PENDING
    kept = {"splits": None, "leaks": ("sha256",), "shortcuts": ("width_height",)}
    for name in audit_section.SECTIONS:
        names = kept.get(name, ())
        audit[name] = audit[name] if names is None else {key: audit[name][key] for key in names}
    return audit


def without_figures(folder):
    for path in (folder / "figures").glob("*"):
        path.unlink()


@pytest.fixture
def folder(tmp_path):
    """A folder with every figure, all blank."""
    (tmp_path / "figures").mkdir()
    for name in FIGURES:
        Image.new("RGB", (30, 20)).save(tmp_path / "figures" / f"trust_{name}.png")
    return tmp_path


def classes_of(reader):
    return [name for _, attributes in reader.tags for name in attributes.get("class", "").split()]


def check_headings(reader):
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)), levels


def check_links(reader):
    """Nothing runs, nothing comes from afar, and links lead to what is on the page, ids being unique."""
    assert {tag for tag, _ in reader.tags}.isdisjoint({"script", "link", "iframe", "object", "base", "form"})
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        assert attributes.get("src", "data:").startswith("data:") and "srcset" not in attributes
        assert attributes.get("href", "#") == "#" or attributes["href"].removeprefix("#") in ids


AUDITS = {
    "good": sample(["green"] * 6),
    "bad": sample(["red"] * 6),
    "mixed": sample(),
    "unknown": sample(["unknown"] * 5 + ["amber"]),
    "three classes": sample(classes=("with_mask", "without_mask", "wrongly_worn")),
    "instant": instant(),
    "none": None,
}


@pytest.mark.parametrize("name", AUDITS)
def test_page_is_whole_and_needs_nothing_else(folder, name):
    path = audit_section.write(AUDITS[name], folder)
    assert path == folder / "audit.html"
    reader, words = read(path)
    check_headings(reader)
    check_links(reader)
    html = path.read_text(encoding="utf-8")
    assert not any(afar in html for afar in ("http:", "https:", "@import", "url("))
    tags = [tag for tag, _ in reader.tags]
    assert dict(reader.tags)["html"] == {"lang": "en"} and tags.count("main") == 1
    assert words.count(markup.PRIVACY) == 2  # in the head, and at the end
    assert tags.count("caption") == tags.count("table") and tags.count("figcaption") == tags.count("figure")
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in reader.tags if tag == "th")
    assert all(len(attributes["alt"]) > 20 for tag, attributes in reader.tags if tag == "img")
    assert "None" not in words and "nan" not in words.split()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("good", "Six lights: 6 green, 0 amber, 0 red, 0 unknown"),
        ("bad", "Six lights: 0 green, 0 amber, 6 red, 0 unknown"),
        ("mixed", "Six lights: 3 green, 2 amber, 1 red, 0 unknown"),
        ("instant", "Six lights: 0 green, 1 amber, 0 red, 5 unknown"),
        ("none", "Nothing measured yet"),
    ],
)
def test_headline_counts_the_lights(folder, name, said):
    _, words = read(audit_section.write(AUDITS[name], folder))
    assert said in words[: len(said) + 150]


def test_lights_come_first_with_their_thresholds_and_reason(folder):
    _, words = read(audit_section.write(sample(), folder))
    order = [
        words.index(title) for title in ("The six lights", *(title for title, _ in audit_section.SECTIONS.values()))
    ]
    assert order == sorted(order)
    for expected in (
        "✓ green 3.0 % 95 % interval 1.0-5.0 %",
        "! amber 12.0 % 95 % interval 10.0-14.0 %",
        "✗ red 31.0 % 95 % interval 29.0-33.0 %",
        "Green up to 5 %, red from 20 %: One photo of forty",  # small is good
        "Green from 95 %, red up to 80 %: One photo of forty",  # large is good
        audit_section.JUDGED,
    ):
        assert expected in words, expected


@pytest.mark.parametrize("name", [name for name, audit in AUDITS.items() if audit])
def test_no_light_is_a_colour_alone(folder, name):
    html = audit_section.write(AUDITS[name], folder).read_text(encoding="utf-8")
    marks = re.findall(r'<span class="light (\w+)"><span class="sign" aria-hidden="true">(.)</span> (\w+)</span>', html)
    assert len(marks) == html.count('class="sign"') == html.count('class="light ') >= 6
    assert all(word == colour and sign == audit_section.SIGNS[colour] for colour, sign, word in marks)
    found = re.findall(
        r'<li class="(\w+)"><a href="#light-\w+">.*?>(.)</span></span> [^<>]+: (\w+)</a>',
        audit_section.lamps(AUDITS[name]),
    )
    assert len(found) == 6
    assert all(word == colour and sign == audit_section.SIGNS[colour] for colour, sign, word in found)


def test_every_section_has_its_figures_numbers_and_lists(folder):
    reader, words = read(audit_section.write(sample(), folder))
    assert sum(tag == "img" for tag, _ in reader.tags) == len(FIGURES)
    for expected in (
        *audit_section.LOOK_FOR.values(),
        "resnet18: last epoch, mean over the splits 95.7 % 93.7-97.7 % 3,792 photos ? unknown A split's score lies",
        "1,000 splits",
        "The best epoch flatters by 0.9 points (95 % interval 0.6-1.2 %).",
        "39 of 40 289",
        "pairs across parts 33",
        "the same bytes (SHA-256) 1.0 %",
        "width height blind: never sees the face; what width_height tells; 5 folds 54.8 %",
        "resnet18: lower half hidden (blurred) 80.0 %",
        "trained here, measured on other-masks",
        "trained here to the last epoch, measured on other-masks",
        "trained on other-masks, measured here undefined - 0 photos ? unknown undefined: too few photos",
        "true with_mask 90 5",
        "mistakes, the first 100 of 103",
        "Temperature 0.61.",
        "It answers 94.0 % where it must be 90.0 % sure.",
        "near grey: 140 files",
        "and 40 more: suspects.csv, beside this page, lists all.",
        "Kaggle 12K: 3,792 could be read",
        "resnet18, run check",
        "weights: imagenet",
        "its weights cannot be had",
        "12.3 s",
        "2026-11-24T03:47:56+00:00",
    ):
        assert expected in words, expected
    assert "WithMask/0099.png" in words and "WithMask/0100.png" not in words
    assert "100 files" in words and "and 0 more" not in words


def test_long_tables_are_folded_away(folder):
    _, words = read(audit_section.write(sample(), folder))
    assert "All 10 numbers as a table" in words and "All 6 numbers" not in words


def test_figures_that_were_not_drawn_are_left_out(folder):
    without_figures(folder)
    reader, words = read(audit_section.write(sample(), folder))
    assert "img" not in {tag for tag, _ in reader.tags} and audit_section.LOOK_FOR["splits"] in words


def test_what_was_not_measured_says_what_to_run(folder):
    without_figures(folder)
    html = audit_section.section(instant(), folder, "my run")
    assert html.count("not measured yet: make trust RUN=&#x27;my run&#x27;") == 5 + 4 + 2  # lights, empty, half empty
    assert html.count("not measured yet") == 11 and html.count(">not measured<") == 5
    assert audit_section.section(None, folder) == "<p><strong>not measured yet: make trust</strong></p>"
    assert audit_section.lamps(None) == ""


def test_another_source_needs_a_folder_of_it(folder):
    audit = sample() | {"against": {}}
    audit["lights"]["other_source"] = light("Another source", "unknown", True) | {"sentence": audit_section.PENDING}
    html = audit_section.section(audit, folder, "check")
    assert html.count("not measured yet: make trust RUN=check AGAINST=ANOTHER_FOLDER<") == 2  # card, section
    assert html.count("Green from 95 %") == 1 and html.count("One photo of forty") == 6  # no limits without a value


def test_an_empty_section_tells_its_lights_reason(folder):
    audit = sample(["unknown"] * 6) | {"calibration": {}, "files": {}}
    audit["lights"]["calibration"]["sentence"] = "undefined: no trained model"
    html = audit_section.section(audit, folder, "check")
    assert "<h3>Whether it is as sure as it should be</h3><p>undefined: no trained model.</p>" in html
    assert "<h3>Odd files</h3><p>not measured yet: make trust RUN=check</p>" in html


def test_a_light_measured_in_part_keeps_what_was_found(folder):
    audit = instant()
    audit["lights"]["leaks"] = light("Leaks", "green", False) | {"light": "unknown"}
    audit["lights"]["leaks"]["sentence"] = f"{audit_section.PENDING} (so far: 0 of 40 photos)"
    html = audit_section.section(audit, folder, "check")
    assert "3.0 %<small>95 % interval 1.0-5.0 %</small>" in html
    assert "not measured yet: make trust RUN=check (so far: 0 of 40 photos)<" in html


def test_the_runs_name_is_in_its_command(folder):
    runs.record(folder, run={"name": "mine"})
    audit = instant() | {"run": {"finished": "2026-11-24"}}
    assert "make trust RUN=mine" in read(audit_section.write(audit, folder))[1]


def test_an_unknown_value_reads_undefined_with_its_reason(folder):
    _, words = read(audit_section.write(sample(), folder))
    expected = "undefined - 0 photos ? unknown Unknown: its weights cannot be had without the network."
    assert f"mobilenet_v2: last epoch, mean over the splits {expected}" in words


def nasty(value):
    """The same audit with every text that is no key of ours replaced."""
    if isinstance(value, dict):
        ours = ("light", "scope", "hidden", "fill", "kind")
        return {key: found if key in ours else nasty(found) for key, found in value.items()}
    if isinstance(value, list):
        return [nasty(each) for each in value]
    return NASTY + ODD if isinstance(value, str) else value


def test_every_text_is_escaped(folder):
    audit = nasty(sample())
    audit["splits"][NASTY] = audit["splits"].pop("resnet18_last")
    audit["networks"][NASTY] = {"weights": NASTY, "note": NASTY}
    assert audit_section.fault(audit) == ""
    path = audit_section.write(audit, folder)
    reader, words = read(path)
    check_links(reader)
    assert words.count(f"{NASTY}caf?.png") > 300 and "<script" not in path.read_text(encoding="utf-8")
    disk.write_json(folder / "audit.json", audit)  # as it comes back from the disk
    assert audit_section.read(folder) == (audit, "")


@pytest.mark.parametrize("source", ["demo", "kaggle"])
def test_only_drawn_faces_need_nobodys_consent(folder, source):
    runs.record(folder, source=source)
    assert markup.PRIVACY in read(audit_section.write(sample(), folder))[1]  # the other source's photos may show people
    without_figures(folder)
    _, words = read(audit_section.write(sample(), folder))
    assert (markup.PRIVACY_DRAWN in words) == (source == "demo")


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(audit):
        for key in path:
            audit = audit[key]
        audit[last] = value

    return change


DAMAGE = {
    "version": (put("version", 1), "its version is 1"),
    "no lights": (put("lights", {}), "lights: missing"),
    "section": (put("leaks", []), "leaks: missing"),
    "value": (put("lights", "leaks", "value", "high"), "lights.leaks is not"),
    "infinite": (put("splits", "resnet18_last", "value", float("inf")), "splits.resnet18_last is not"),
    "interval": (put("lights", "mouth", "interval", [0.5]), "lights.mouth is not"),
    "colour": (put("calibration", "ece", "light", ["green"]), "calibration.ece is not"),
    "bins": (put("calibration", "ece", "bins", [{}]), "calibration.ece is not"),
    "files": (put("files", "near_grey", "files", [1]), "files.near_grey is not"),
    "entry": (put("against", "forward", 0.9), "against.forward is not"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_audit_is_refused_with_its_place(folder, name):
    change, said = DAMAGE[name]
    audit = copy.deepcopy(AUDITS["mixed"])
    change(audit)
    # json.dumps of the standard library, unlike write_json, lets what is no number through
    disk.write_text(folder / "audit.json", json.dumps(audit))
    found, problem = audit_section.read(folder, "check")
    assert found is None and said in problem and problem.endswith("Remove the file, then: make trust RUN=check")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "1", "[" * 100_000, '{"version": 2}'])
def test_what_is_no_audit_is_refused(folder, content):
    assert audit_section.read(folder) == (None, "")
    (folder / "audit.json").write_text(content)
    found, problem = audit_section.read(folder)
    assert found is None and problem.startswith("audit.json cannot be used")


@pytest.mark.parametrize("name", [name for name, audit in AUDITS.items() if audit])
def test_good_audits_are_not_refused(folder, name):
    disk.write_json(folder / "audit.json", AUDITS[name])
    assert audit_section.read(folder) == (AUDITS[name], "")
