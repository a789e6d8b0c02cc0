"""Both languages say the same: no text without a translation, the same placeholders, the same numbers."""

import ast
import re

import nbformat
import pytest
from test_page import read, run_dir  # noqa: F401 (a fixture)

from maskkit import claims, page, runs
from maskkit.audit import shortcuts
from maskkit.audit.checks import CHECKS, files, leaks
from maskkit.audit.entries import NOT_YET
from maskkit.core import disk, paths
from maskkit.html import audit_section, indonesian, languages
from tests.html.test_audit_section import AUDITS

SPEAKERS = ("page", "html/audit_section", "html/markup")
TABLES = [*indonesian.OWN.items(), *indonesian.STORED.items()]


def placeholders(words):
    return sorted(set(re.findall(r"\{(\w+)\}", words)))


@pytest.mark.parametrize(("english", "words"), TABLES)
def test_a_translation_keeps_the_placeholders(english, words):
    assert words and placeholders(english) == placeholders(words)


def constants(tree):
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_what_the_page_says_is_in_the_table_and_the_table_holds_nothing_else():
    said, known = set(), set()
    for name in SPEAKERS:
        tree = ast.parse((paths.ROOT / "maskkit" / f"{name}.py").read_text(encoding="utf-8"))
        known |= constants(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
                said |= constants(node.args[0]) if isinstance(node.args[0], ast.Constant) else set()
    assert said and said <= set(indonesian.OWN)
    known |= {words.replace("_", " ") for words in known}
    assert set(indonesian.OWN) <= known


@pytest.mark.parametrize(
    ("english", "indonesian"),
    [("1,026", "1.026"), ("97.5 %", "97,5%"), ("87.1-99.6 %", "87,1-99,6%"), ("-0.05", "-0,05")],
)
def test_indonesian_has_a_decimal_comma(english, indonesian):
    assert languages.number(english) == english
    with languages.speaking("id"):
        assert languages.number(english) == languages.translate(english) == indonesian


def test_a_language_that_is_none_of_ours_is_refused(run_dir):  # noqa: F811
    runs.record(run_dir, language="fr")
    with pytest.raises(ValueError, match="LANGUAGE must be 'en' .* or 'id' .*, got 'fr'"):
        page.write(run_dir)


def sentences_of_05():
    """Every sentence of the audit that the committed notebook shows."""
    for cell in nbformat.read(paths.NOTEBOOKS / "05_trust.ipynb", 4).cells:
        for output in cell.get("outputs", []):
            for line in output.get("data", {}).get("text/markdown", "").splitlines()[2:]:
                yield line.split(" | ")[-1].removesuffix(" |").strip()


STORED = [
    *sentences_of_05(), *(check.title for check in CHECKS), *(check.reason for check in CHECKS),
    *files.PROBLEMS.values(), *(detector.how["id"] for detector in leaks.DETECTORS.values()),
    *(one.title for one in shortcuts.MEASURES.values()), *(one.sees for one in shortcuts.MEASURES.values()),
]  # fmt: skip


@pytest.mark.parametrize("english", STORED)
def test_what_audit_json_holds_is_said_in_indonesian_with_the_same_numbers(english):
    if english.startswith(NOT_YET["sentence"]):  # the page itself says that, with the command
        english = (
            english.removeprefix(f"{NOT_YET['sentence']} (so far: ").removeprefix(NOT_YET["sentence"]).removesuffix(")")
        )
    with languages.speaking("id"):
        said = languages.translate(english)
    assert said is not None
    shown = re.findall(r"\d+(?:\.\d+)?", english.replace(",", ""))
    assert sorted(re.findall(r"\d+(?:,\d+)?", re.sub(r"(?<=\d)\.(?=\d{3})", "", said))) == sorted(
        number.replace(".", ",") for number in shown
    )


def test_every_claim_is_said_in_indonesian():
    score = {"correct": 39, "n": 40, "accuracy": 0.975, "interval": [0.871, 0.996]}
    metrics = {
        "classes": ["with_mask", "without_mask"],
        "n_train": 160,
        "n_val": 40,
        "trainable": 2562,
        "total": 2_226_434,
        "arch": "mobilenet_v2",
        "best": score,
        "confusion": [[20, 0], [1, 19]],
    }
    epoch = {"train_accuracy": 0.9, "val_accuracy": 0.8, "train_loss": 0.3, "val_loss": 0.4}
    with languages.speaking("id"):
        for length in (2, 10):
            for row in claims.compare(metrics, [epoch] * length):
                assert all(languages.translate(words) is not None for words in row.values()), row


@pytest.mark.parametrize("name", [name for name in AUDITS if name != "none"])
def test_a_page_in_indonesian_holds_no_english_number(run_dir, name):  # noqa: F811
    disk.write_json(run_dir / "audit.json", AUDITS[name])
    runs.record(run_dir, language="id")
    reader, words = read(page.write(run_dir))
    assert dict(reader.tags)["html"] == {"lang": "id"}
    assert words.index("39 dari 40 (97,5%, interval kepercayaan 95% 87,1-99,6%)") < 300
    assert page.FOREIGN not in words and indonesian.OWN[page.FOREIGN] in words
    html = re.sub(r'<span lang="en">.*?</span>', "", (run_dir / "report.html").read_text(encoding="utf-8"))
    assert not re.findall(r".{40}\d\.\d %", html)
    assert "--set LANGUAGE=id" in words and "1.026 dari 11.177.538 bobot" in words


def test_a_sentence_without_a_translation_is_marked_as_english(run_dir):  # noqa: F811
    runs.record(run_dir, language="id")
    page.write(run_dir)
    assert '<span lang="en">truncated</span>' in (run_dir / "report.html").read_text(encoding="utf-8")


def test_the_audit_s_own_page_stays_english(tmp_path):
    assert '<html lang="en">' in audit_section.write(AUDITS["good"], tmp_path).read_text(encoding="utf-8")
