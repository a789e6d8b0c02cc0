"""Every language says the same: no text without a translation, the same placeholders, the same numbers."""

import ast
import re
import string

import numpy as np
import pytest
from conftest import recorded_audit
from test_page import read, run_dir  # noqa: F401 (a fixture)

from maskkit import claims, evaluate, page, runs, split
from maskkit.audit import splits
from maskkit.audit.entries import undefined
from maskkit.core import disk
from maskkit.core.messages import message, reason_of, said
from maskkit.html import languages
from maskkit.sources import folders, kaggle
from tests.html import catalogue
from tests.html.test_checks import AUDITS

CATALOGUES = sorted(languages.LOCALE.glob("*/LC_MESSAGES/maskkit.po"))
FOREIGN = "Names of files and settings"


def placeholders(text):
    """A template's placeholders with their formats."""
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name)


def constants():
    """Every text in the package's Python files."""
    for path in catalogue.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_catalogue_holds_every_text_and_no_other(path):
    entries = {entry.id: entry for entry in catalogue.read(path) if entry.id}
    used = catalogue.used_texts()
    assert [f"{where}: {text}" for text, where in used.items() if text not in entries] == []
    assert sorted(entries.keys() - used.keys() - set(constants())) == []
    assert [text for text, entry in entries.items() if not entry.string or entry.fuzzy] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_translation_keeps_the_placeholders(path):
    entries = [entry for entry in catalogue.read(path) if entry.id]
    assert [entry.id for entry in entries if placeholders(entry.id) != placeholders(entry.string)] == []


def test_a_catalogue_that_is_up_to_date_stays_as_it_is(tmp_path):
    for path in CATALOGUES:
        copy = tmp_path / path.parts[-3] / "LC_MESSAGES" / path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
        before = {entry.id: entry.string for entry in catalogue.read(path) if entry.id}
        catalogue.update(copy)
        after = {entry.id: (entry.string, entry.fuzzy) for entry in catalogue.read(copy) if entry.id}
        assert {text: after[text] for text in after} == {text: (before[text], False) for text in after}


@pytest.mark.parametrize(
    ("english", "indonesian"),
    [("1,026", "1.026"), ("97.5 %", "97,5%"), ("87.1-99.6 %", "87,1-99,6%"), ("-0.05", "-0,05")],
)
def test_indonesian_has_a_decimal_comma(english, indonesian):
    assert languages.get("en").localize(english) == english
    assert languages.get("id").localize(english) == indonesian


def test_a_language_that_is_none_of_ours_is_refused(run_dir):  # noqa: F811
    runs.record(run_dir, language="fr")
    with pytest.raises(ValueError, match="LANGUAGE must be 'en' .* or 'id' .*, got 'fr'"):
        page.write(run_dir)


# --- what a run's files hold --------------------------------------------------------------------


def test_a_message_is_said_with_its_values_and_escaped():
    record = said("{n:,} of {of:,} ({arch})", n=1026, of=11_177_538, arch="<b>")
    assert languages.get("id").stored(record) == "1.026 dari 11.177.538 (&lt;b&gt;)"
    assert languages.get("en").stored(record) == "1,026 of 11,177,538 (&lt;b&gt;)"


def test_a_text_without_a_translation_is_marked_as_english():
    spoken = languages.get("id")
    assert spoken.stored({"sentence": "no <such> text"}) == '<span lang="en">no &lt;such&gt; text</span>'
    half = said("not measured: {why}", why=message("no such {thing}", thing="text"))
    assert spoken.stored(half) == '<span lang="en">not measured: no such text</span>'
    assert spoken.stored({"verdict": "same"}, "verdict") == "sama"


def numbers(text):
    return sorted(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))


def entries_of(audit):
    return [entry for part in ("results", *(c["section"] for c in audit["checks"])) for entry in audit[part].values()]


def test_what_the_audit_stored_is_said_in_indonesian_with_the_same_numbers():
    spoken, plain = languages.get("id"), 0
    for entry in entries_of(recorded_audit()):
        words = spoken.stored(entry).unescape()
        assert 'lang="en"' not in words, words
        back = words.translate(str.maketrans(",.", ".,"))  # 1.234,5 -> 1,234.5
        assert numbers(back) == numbers(entry["sentence"].replace(" %", "%")), words
        plain += words == entry["sentence"]
    assert plain == 0


def test_every_claim_is_said_in_indonesian():
    metrics = {
        "classes": ["with_mask", "without_mask"],
        "n_train": 160,
        "n_val": 40,
        "trainable": 2562,
        "total": 2_226_434,
        "arch": "mobilenet_v2",
        "best": evaluate.score(39, 40),
        "confusion": [[20, 0], [1, 19]],
    }
    epoch = {"train_accuracy": 0.9, "val_accuracy": 0.8, "train_loss": 0.3, "val_loss": 0.4}
    for length in (2, 10):
        for row in claims.compare(metrics, [epoch] * length):
            said_so = [languages.get("id").stored(row, name) for name in claims.COLUMNS]
            assert not any('lang="en"' in words for words in said_so), said_so


# --- a whole page -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AUDITS)
def test_a_page_in_indonesian_holds_no_english_number(run_dir, name):  # noqa: F811
    disk.write_json(run_dir / "audit.json", AUDITS[name])
    runs.record(run_dir, language="id")
    reader, words = read(page.write(run_dir))
    assert dict(reader.tags)["html"] == {"lang": "id"}
    assert words.index("39 dari 40 (97,5%, interval kepercayaan 95% 87,1-99,6%)") < 300
    assert FOREIGN not in words and "Nama berkas dan pengaturan" in words
    html = re.sub(r'<span lang="en">.*?</span>', "", (run_dir / "report.html").read_text(encoding="utf-8"))
    assert not re.findall(r".{40}\d\.\d %", html)
    assert "--set LANGUAGE=id" in words and "Bobot yang dilatih 1.026 dari 11.177.538" in words


def test_a_reason_without_a_translation_is_marked_as_english(run_dir):  # noqa: F811
    runs.record(run_dir, language="id")
    page.write(run_dir)
    assert '<span lang="en">truncated</span>' in (run_dir / "report.html").read_text(encoding="utf-8")


def test_texts_of_exceptions_are_indonesian_too(run_dir, photo_folder, monkeypatch):  # noqa: F811
    """Why files were left out, why a check was not measured, and what was tried before the fallback."""
    monkeypatch.setattr(kaggle, "DOWNLOAD", "print('no route to host'); raise SystemExit(1)")
    (photo_folder / "with_mask" / "empty.png").write_bytes(b"")
    (photo_folder / "with_mask" / "text.png").write_text("no photo")
    _, rejected = split.choose(folders.find(str(photo_folder)), per_class=0, split="random", seed=0)
    disk.write_csv(run_dir / "rejected.csv", rejected, split.REJECTED_COLUMNS)
    with pytest.raises(ValueError) as few:
        splits.folds(np.array([0, 0, 1]), np.arange(3), 5, 0)
    audit = recorded_audit()
    audit["results"]["calibration"] |= undefined(reason_of(few.value)) | {"result": "unknown"}
    disk.write_json(run_dir / "audit.json", audit)
    with pytest.raises(FileNotFoundError) as tried:
        kaggle.fetch()
    plain = said("Kaggle could not be reached, so this run uses synthetic faces.")
    runs.record(run_dir, language="id", source_notes=[plain, *kaggle.how_to(tried.value)])
    _, words = read(page.write(run_dir))
    assert "berkas kosong" in words and "bukan foto dengan format yang dikenal (JPEG, PNG" in words
    assert "sebuah kelas hanya punya 1 foto yang saling bebas; 5 fold memerlukan 5" in words
    assert f"Upaya mengunduh {kaggle.PAGE} melalui kagglehub gagal: no route to host" in words
    assert "Tried to" not in words
