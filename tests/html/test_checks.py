"""audit.html and the audit's part of report.html: complete, escaped, self-contained, plain about what is missing."""

import copy
import re

import pytest
from conftest import recorded_audit
from PIL import Image
from test_page import NASTY, read

from maskkit.audit import page
from maskkit.core import audit_file, disk, mutes
from maskkit.html.render import render

ODD = "caf\udce9.png"  # a file name that is no UTF-8
PRIVACY = "This page may show faces: do not share it without the consent of those shown."
SIGNS = {"pass": "✓", "warning": "!", "fail": "✗", "unknown": "?", "muted": "–"}
WORDS = {"pass": "pass", "warning": "warning", "fail": "fail", "unknown": "not measured"}
NAMES = list(recorded_audit()["results"])
FIGURES = [name for check in recorded_audit()["checks"] for name in check["figures"]] + ["results"]


def with_results(*outcomes):
    """The recorded audit with other results; unknown ones have no value."""
    audit = recorded_audit()
    for result, outcome in zip(audit["results"].values(), outcomes, strict=True):
        result["result"] = outcome
        if outcome == "unknown":
            result |= {"value": None, "interval": None, "sentence": "Unknown: too few photos."}
            del result["message"]
    return audit


def of_a_run():
    """What 03_evaluate measures by itself: all but another source."""
    audit = recorded_audit() | {"scope": "run", "against": {}}
    audit["results"]["other_source"] |= {"value": None, "interval": None, "result": "unknown"} | audit_file.NOT_YET
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


def html_of(audit, folder):
    return page.write(audit, folder).read_text(encoding="utf-8")


def words_of(audit, folder):
    return read(page.write(audit, folder))[1]


AUDITS = {
    "recorded": recorded_audit(),
    "good": with_results(*["pass"] * 8),
    "unknown": with_results(*["unknown"] * 7, "warning"),
    "of a run": of_a_run(),
}


@pytest.mark.parametrize("name", AUDITS)
def test_page_is_whole_and_needs_nothing_else(folder, name):
    path = page.write(AUDITS[name], folder)
    assert path == folder / "audit.html"
    reader, words = read(path)
    check_headings(reader)
    check_links(reader)
    html = re.sub("<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not any(afar in html for afar in ("@import", "url("))
    tags = [tag for tag, _ in reader.tags]
    assert dict(reader.tags)["html"] == {"lang": "en"} and tags.count("main") == 1
    assert words.count(PRIVACY) == 2  # in the head, and at the end
    assert tags.count("caption") == tags.count("table") and tags.count("figcaption") == tags.count("figure")
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in reader.tags if tag == "th")
    assert all(len(attributes["alt"]) > 20 for tag, attributes in reader.tags if tag == "img")
    assert "None" not in words and "nan" not in words.split() and "{" not in words


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        (["pass"] * 8, "8 checks: 8 pass, 0 warning, 0 fail, 0 not measured"),
        (["pass", "warning", "fail", "warning", *["pass"] * 4], "8 checks: 5 pass, 2 warning, 1 fail, 0 not measured"),
        (["warning", *["unknown"] * 7], "8 checks: 0 pass, 1 warning, 0 fail, 7 not measured"),
    ],
)
def test_headline_counts_the_results(folder, outcomes, headline):
    words = words_of(with_results(*outcomes), folder)
    assert headline in words[: len(headline) + 150]


def test_results_come_first_with_their_limits_and_reason(folder):
    audit = recorded_audit()
    words = words_of(audit, folder)
    titles = ["The 8 checks", *(check["section_title"] for check in audit["checks"])]
    order = [words.rindex(title) if title == "Calibration" else words.index(title) for title in titles]
    assert order == sorted(order)
    variance, mouth = audit["results"]["split_variance"], audit["results"]["mouth"]
    low, high = (100 * end for end in mouth["interval"])
    for expected in (
        f"{SIGNS[mouth['result']]} {WORDS[mouth['result']]} {100 * mouth['value']:.1f} % "
        f"95 % interval {low:.1f}-{high:.1f} %",
        f"Pass up to 5 %, fail from 20 %: {variance['reason']}",  # small is good
        f"Pass up to 16 %, fail from 17 %: {mouth['reason']}",
        f"Pass from 90.8 %, fail up to 85.8 %: {audit['results']['other_source']['reason']}",  # large is good
        "A check judges the 95 % interval, unless its reason says otherwise",
    ):
        assert expected in words, expected


@pytest.mark.parametrize("name", AUDITS)
def test_no_result_is_a_colour_alone(folder, name):
    html = html_of(AUDITS[name], folder)
    marks = re.findall(
        r'<span class="result (\w+)"><span class="sign" aria-hidden="true">(.)</span> ([a-z ]+)</span>', html
    )
    assert len(marks) == html.count('class="sign"') == html.count('class="result ') >= 8
    assert all(word == WORDS[outcome] and sign == SIGNS[outcome] for outcome, sign, word in marks)


def test_every_section_has_its_figures_numbers_and_lists(folder):
    audit = recorded_audit()
    audit["calibration"]["ece_scaled"]["temperature"] = 0.613
    audit["calibration"]["dont_know"] |= {"threshold": 0.9, "answered": 0.94}
    audit["splits"]["mobilenet_v2_best"] |= {"optimism": 0.009, "optimism_interval": [0.006, 0.012]}
    audit["against"]["forward"]["mistakes"] *= 60
    n = len(audit["against"]["forward"]["mistakes"])
    audit["files"]["near_grey"]["files"] = [f"with_mask/{place:04d}.png" for place in range(140)]
    reader, words = read(page.write(audit, folder))
    assert sum(tag == "img" for tag, _ in reader.tags) == len(FIGURES)
    for check in audit["checks"]:
        assert all(sentence in words for sentence in check["look_for"].values())
    for section in [check["section"] for check in audit["checks"]]:
        assert all(" ".join(entry["sentence"].split()) in words for entry in audit[section].values())
    for expected in (
        "mobilenet_v2: last epoch, mean over the splits 93.1 %",
        "1,000 splits",
        "The best epoch is too high by 0.9 points (95 % interval 0.6-1.2 %).",
        "pairs across sets 0",
        "the same bytes (SHA-256)",
        "width and height blind: never sees the face; the photo's size in pixels; 5 folds",
        "mobilenet_v2: lower half hidden (blurred)",
        "trained here, measured on elsewhere",
        "trained on elsewhere, measured here",
        "predicted with_mask predicted without_mask true with_mask",
        f"mistakes, the first 100 of {n}",
        "without colour: 140 files",
        "and 40 more: suspects.csv, in the folder of this page, lists all.",
        "faces: 123 could be read",
        "every photo is drawn in every split, so none is left over (mobilenet_v2).",
        "weights: packaged",
        "time for audit",
        audit["run"]["finished"],
    ):
        assert expected in words, expected
    assert "with_mask/0099.png" in words and "with_mask/0100.png" not in words


def test_long_tables_are_folded_away(folder):
    words = words_of(recorded_audit(), folder)
    assert "All 10 numbers as a table" in words and "All 6 numbers" not in words


def test_figures_that_were_not_drawn_are_left_out(folder):
    without_figures(folder)
    audit = recorded_audit()
    reader, words = read(page.write(audit, folder))
    look_for = audit["checks"][0]["look_for"]["splits"]
    assert "img" not in {tag for tag, _ in reader.tags} and look_for in words


def test_what_was_not_measured_says_what_to_run(folder):
    without_figures(folder)
    words = words_of(of_a_run() | {"run": {"name": "my run"}}, folder)
    assert words.count("not measured yet: make trust RUN='my run' AGAINST=ANOTHER_FOLDER") == 2  # result, section
    assert words.count("not measured yet") == 2


def test_another_source_needs_a_folder_of_it(folder):
    audit = of_a_run()
    words = words_of(audit, folder)
    assert words.count("not measured yet: make trust RUN=recorded AGAINST=ANOTHER_FOLDER") == 2  # card, section
    assert (
        len(re.findall("Pass (?:up to|from)", words)) == 6
        and words.count(audit["results"]["other_source"]["reason"]) == 1
    )


def test_an_empty_section_gives_the_reason_of_its_result(folder):
    audit = with_results(*["unknown"] * 8) | {"calibration": {}, "files": {}}
    audit["results"]["calibration"]["sentence"] = "not measured: no trained model"
    html = " ".join(re.sub("<details>.*?</details>", "", html_of(audit, folder), flags=re.DOTALL).split())
    html = re.sub('<p class="soft">How often .*?</p> ', "", html)  # how often a check is right
    titles = {check["section"]: check["section_title"] for check in audit["checks"]}
    assert f"<h2>{titles['calibration']}</h2> <p>not measured: no trained model.</p>" in html
    assert f"<h2>{titles['files']}</h2> <p>not measured yet: make trust RUN=recorded</p>" in html


def test_a_further_check_needs_no_change_of_the_page(folder):
    audit = recorded_audit()
    audit["checks"].append(audit["checks"][1] | {"name": "blur", "section": "blur", "section_title": "Blurred photos"})
    audit["results"]["blur"] = audit["results"]["leaks"] | {"title": "Blur"}
    audit["blur"] = audit["leaks"]
    assert audit_file.find_fault(audit) == ""
    words = words_of(audit, folder)
    assert "9 checks: " in words and "Blurred photos" in words


def test_each_check_says_how_why_and_what_to_do(folder):
    audit = with_results("pass", "fail", "warning", *["pass"] * 5)
    words = words_of(audit, folder)
    for check in audit["checks"]:
        assert f"{check['code']}: how it is detected, why it matters, what to do" in words
        assert all(" ".join(check[key].split()) in words for key in ("detected", "matters", "advice"))
    leaks, mouth = (words.count(f"What to do: {audit['checks'][place]['advice']}") for place in (1, 3))
    assert (leaks, mouth) == (1, 0)  # on the card of the check that fails, not on that of one that passes


def test_a_muted_check_shows_reason_and_value_and_is_no_pass(folder):
    audit = with_results("pass", "fail", *["pass"] * 6)
    mutes.apply(audit, {"MK002": "copies are <b>wanted</b>", "MK006": "a known scan"})
    assert audit_file.find_fault(audit) == ""
    words = words_of(audit, folder)
    assert "8 checks: 7 pass, 0 warning, 0 fail, 0 not measured, 1 muted" in words
    card = words[words.index("Leaks between the sets MK002") :]
    value = f"{100 * audit['results']['leaks']['value']:.1f} %"
    assert card.startswith(
        "Leaks between the sets MK002 – muted Muted in MUTE, with the reason: copies are <b>wanted</b>. "
        f"Without this it would be: fail. {value}"
    )
    assert words.count("Muted in MUTE, with the reason: a known scan.") == 1  # a check without a card: its section


def test_an_unknown_value_reads_not_measured_with_its_reason(folder):
    entry = recorded_audit()["splits"]["resnet18_last"]
    words = words_of(recorded_audit(), folder)
    expected = f"not measured - 0 photos ? not measured {' '.join(entry['sentence'].split())}"
    assert f"resnet18: last epoch, mean over the splits {expected}" in words


def nasty(value):
    """The same audit with every text that is no key of ours replaced."""
    if isinstance(value, dict):
        ours = (
            "result",
            "scope",
            "hidden",
            "fill",
            "kind",
            "section",
            "name",
            "code",
            "figures",
            "message",
            "messages",
        )
        return {key: content if key in ours else nasty(content) for key, content in value.items() if key != "message"}
    if isinstance(value, list):
        return [nasty(each) for each in value]
    return NASTY + ODD if isinstance(value, str) else value


def test_every_text_is_escaped(folder):
    audit = nasty(recorded_audit())
    for check in audit["checks"]:
        check["entries"] = {key: {"id": NASTY, "values": {}} for key in check["entries"]}
    audit["networks"][NASTY] = {"weights": NASTY, "note": NASTY}
    assert audit_file.find_fault(audit) == ""
    path = page.write(audit, folder)
    reader, words = read(path)
    check_links(reader)
    assert words.count(f"{NASTY}caf?.png") > 100 and "<script" not in path.read_text(encoding="utf-8")
    disk.write_json(folder / "audit.json", audit)  # as it comes back from the disk
    assert audit_file.read(folder) == (audit, None)


@pytest.mark.parametrize("source", ["demo", "kaggle"])
def test_only_drawn_faces_need_nobodys_consent(folder, source):
    audit = recorded_audit() | {"source": source}
    assert PRIVACY in words_of(audit, folder)  # the other source's photos may show people
    without_figures(folder)
    assert ("they show nobody" in words_of(audit, folder)) == (source == "demo")


def test_many_classes_and_many_mistakes_are_counted(folder):
    classes = [f"class {place}" for place in range(30)]
    audit = recorded_audit() | {"classes": classes}
    matrix = [[9 if row == column else row == 3 for column in range(30)] for row in range(30)]
    audit["against"]["forward"]["confusion"] = [list(map(int, row)) for row in matrix]
    words = words_of(audit, folder)
    assert "the most frequent mistakes" in words and "class 3 class 0 1" in words


def test_a_page_of_another_language_says_the_numbers_that_language_s_way(folder):
    audit = copy.deepcopy(recorded_audit())
    from maskkit.html import checks

    html = render("audit.html", "id", content=audit, audit=checks.context(audit, folder), synthetic=False, made=[])
    assert "interval kepercayaan 95% " in html and "10 angka dalam tabel" in html
