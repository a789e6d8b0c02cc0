"""report.html: complete, escaped, self-contained, and of use when parts of the run are missing."""

from html.parser import HTMLParser

import pytest
from conftest import recorded_audit
from PIL import Image

from maskkit import evaluate, page, runs
from maskkit.core import disk
from maskkit.core.messages import said

NASTY = "<script>alert('x')</script> & \"$\".png"
PRIVACY = "This page may show faces: do not share it without the consent of those shown."
PRIVACY_DRAWN = "The faces on this page are drawn by this project's own code: they show nobody."
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Collects tags and visible text, and checks that tags are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.words = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def read(path):
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert not reader.open
    return reader, " ".join(" ".join(reader.words).split())


@pytest.fixture
def run_dir(tmp_path):
    """A run folder with everything in it, its figures blank."""
    classes, matrix = ["with_mask", "without_mask"], [[20, 0], [1, 19]]
    runs.record(
        tmp_path,
        source="folder",
        photos=NASTY,
        source_note="",
        weights_note="",
        arch="resnet18",
        weights="imagenet",
        classes=classes,
        split="grouped",
        seed=12345,
        per_class=100,
        n_train=160,
        n_val=40,
        n_rejected=1,
        trainable=1026,
        total=11_177_538,
        epochs=10,
        batch_size=16,
        learning_rate=0.001,
        best={"epoch": 7, **evaluate.score(39, 40)},
        last={"epoch": 10, **evaluate.score(38, 40)},
        confusion=matrix,
        device="cpu",
        versions={"torch": "2.10.0"},
        per_class_scores=evaluate.per_class(matrix, classes),
        seconds={"train": 0.123},
        run={"name": "check"},
        mistakes=[{"file": NASTY, "label": "without_mask", "predicted": "with_mask", "probability": 0.731}],
    )
    row = {
        "epoch": 1,
        "train_loss": 0.5,
        "train_accuracy": 0.8,
        "val_loss": 0.6,
        "val_accuracy": 0.75,
        "val_correct": 30,
    }
    disk.write_csv(tmp_path / "history.csv", [row], list(row))
    disk.write_csv(
        tmp_path / "rejected.csv",
        [{"source": NASTY, "label": "with_mask", "reason": "truncated"}],
        ("source", "label", "reason"),
    )
    claims = [
        {
            "claim": "best accuracy",
            "report": "97.5 %",
            "here": "97.5 %",
            "verdict": verdict,
            "rule": "by interval",
        }
        for verdict in ("same", "within the interval", "differs", "not comparable")
    ]
    disk.write_json(tmp_path / "claims.json", claims)
    disk.write_json(
        tmp_path / "environment.json", {"platform": "Linux", "processors": 2, "cuda": None, "commit": "abc"}
    )
    (tmp_path / "figures").mkdir()
    for name in page.FIGURES:
        Image.new("RGB", (30, 20)).save(tmp_path / "figures" / f"{name}.png")
    return tmp_path


def change(run_dir, **entries):
    runs.record(run_dir, **entries)
    return read(page.write(run_dir))


def test_page_holds_the_numbers(run_dir):
    path = page.write(run_dir)
    assert path == run_dir / "report.html"
    _, words = read(path)
    assert words.index("39 of 40 (97.5 %, 95 % interval 87.1-99.6 %)") < 300  # first of all
    for expected in (
        "38 of 40 (95.0 %, 95 % interval 83.5-98.6 %)",
        "1,026 of 11,177,538",
        "95.2 %",
        "76.4-99.1 %",
        "73.1 %",
        "12345",
        "2.10.0",
        "0.1 s",
        "truncated",
        "not measured yet",
        "not measured yet",
        PRIVACY,
        "--set LEARNING_RATE=0.001",
        "✓ same",
        "≈ within the interval",
        "✗ differs",
        "– not comparable",
        "any true accuracy between 87.1 % and 99.6 %",
    ):
        assert expected in words, expected


def test_page_loads_nothing_and_runs_nothing(run_dir):
    reader, _ = read(page.write(run_dir))
    assert {tag for tag, _ in reader.tags}.isdisjoint({"script", "link", "iframe", "object", "base", "form"})
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    html = (run_dir / "report.html").read_text(encoding="utf-8")
    assert "http:" not in html and "https:" not in html and "@import" not in html and "url(" not in html


def test_page_can_be_read_without_seeing_it(run_dir):
    reader, _ = read(page.write(run_dir))
    tags = [tag for tag, _ in reader.tags]
    assert dict(reader.tags)["html"] == {"lang": "en"}
    assert tags.count("h1") == tags.count("main") == 1
    images = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert len(images) == len(page.FIGURES)
    assert all(len(image["alt"]) > 20 and image["width"] == "30" and image["height"] == "20" for image in images)
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in reader.tags if tag == "th")
    assert tags.count("figcaption") == tags.count("figure") and tags.count("caption") == tags.count("table")


def test_every_text_is_escaped(run_dir):
    nasty = {"file": NASTY, "label": NASTY, "predicted": NASTY, "probability": 0.5}
    claim = dict.fromkeys(("claim", "report", "here", "verdict", "rule"), NASTY)
    disk.write_json(run_dir / "claims.json", [claim])
    reader, words = change(
        run_dir,
        classes=[NASTY, "b"],
        arch=NASTY,
        weights=NASTY,
        source_note=NASTY,
        weights_note=NASTY,
        device=NASTY,
        mistakes=[nasty],
        versions={NASTY: NASTY},
        run={"name": NASTY},
        per_class_scores=evaluate.per_class([[1, 0], [0, 1]], [NASTY, "b"]),
    )
    assert "script" not in {tag for tag, _ in reader.tags}
    assert words.count(NASTY) > 12


def test_a_fallback_is_told_before_anything_else(run_dir):
    reader, words = change(run_dir, source_note="Kaggle not reached", weights_note="no ResNet18 weights")
    assert words.index("Kaggle not reached") < words.index("no ResNet18 weights") < words.index("38 of 40 (95.0 %")
    assert sum(attributes.get("class") == "banner" for _, attributes in reader.tags) == 1


def test_a_fallback_s_technical_reason_is_folded_away(run_dir):
    reason = "Tried to download https://x: requests.exceptions.ConnectionError: HTTPSConnectionPool(...)"
    plain = said("Kaggle could not be reached, so this run uses synthetic faces.")
    sentence = plain["sentence"]
    notes = [plain, said("How to use the real photos: open {page}.", page="https://x"), {"sentence": reason}]
    runs.record(run_dir, source_note="one line", source_notes=notes)
    html = page.write(run_dir).read_text(encoding="utf-8")
    banner = html[html.index('<div class="banner">') :].partition("</div>")[0]
    shown, _, folded = banner.partition("<details>")
    assert f"{sentence} How to use the real photos: open https://x." in shown and "Error" not in shown
    assert reason in folded
    runs.record(run_dir, language="id")
    _, words = read(page.write(run_dir))
    assert "Kaggle tidak dapat dihubungi, jadi percobaan ini memakai wajah sintetis." in words


def test_files_with_two_labels_are_listed(run_dir):
    rows = [
        {"sha256": "ab", "source": f"{label}/{NASTY}", "label": label, "drawn": drawn}
        for label, drawn in (("cat", "yes"), ("dog", "no"))
    ]
    disk.write_csv(run_dir / "conflicts.csv", rows, list(rows[0]))
    for language, sentence in (
        ("en", "Photos with the same bytes in two or more classes: 1."),
        ("id", "Foto dengan byte yang sama di dua kelas atau lebih: 1."),
    ):
        _, words = change(run_dir, language=language)
        assert sentence in words and f"cat/{NASTY}" in words and f"dog/{NASTY}" in words
    (run_dir / "conflicts.csv").unlink()
    assert "in two classes" not in change(run_dir, language="en")[1]


def test_drawn_faces_need_nobodys_consent(run_dir):
    _, words = change(run_dir, source="demo")
    assert PRIVACY_DRAWN in words and PRIVACY not in words


@pytest.mark.parametrize("name", ["claims.json", "history.csv", "rejected.csv", "environment.json", *page.FIGURES])
def test_what_is_missing_is_named(run_dir, name):
    path = run_dir / name if "." in name else run_dir / "figures" / f"{name}.png"
    path.unlink()
    _, words = read(page.write(run_dir))
    assert "39 of 40" in words
    if name == "photos":  # the only picture that a run may do without
        assert "not there" not in words
    else:
        assert "not there: run 0" in words


def test_bare_metrics_are_enough(tmp_path):
    score = {"epoch": 1, **evaluate.score(1, 1)}
    runs.record(tmp_path, best=score, last=score, confusion=[[1]])
    _, words = read(page.write(tmp_path))
    assert "1 of 1 (100.0 %" in words and "not recorded" in words


def test_without_an_evaluation_it_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="metrics.json is missing; run 01_prepare"):
        page.write(tmp_path)
    runs.record(tmp_path, best={}, last={})
    with pytest.raises(FileNotFoundError, match="holds no confusion; run .*03_evaluate"):
        page.write(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_three_classes_one_never_predicted(run_dir):
    classes, matrix = ["a", "b", "c"], [[9, 1, 0], [0, 10, 0], [2, 8, 0]]
    reader, words = change(
        run_dir, classes=classes, confusion=matrix, per_class_scores=evaluate.per_class(matrix, classes)
    )
    assert "never predicted" in words
    alts = [attributes["alt"] for tag, attributes in reader.tags if tag == "img"]
    assert any("true c: 2 predicted as a, 8 predicted as b." in alt for alt in alts)


def test_no_mistake_needs_no_figure(run_dir):
    (run_dir / "figures" / "mistakes.png").unlink()
    _, words = change(run_dir, mistakes=[])
    assert "None: all 40 validation photos were classified correctly." in words and "not there" not in words


def test_file_names_that_are_not_utf_8_are_shown(run_dir):
    rejected = {"source": "caf\udce9.png", "label": "with_mask", "reason": "truncated"}
    disk.write_csv(run_dir / "rejected.csv", [rejected], list(rejected))
    _, words = read(page.write(run_dir))
    assert "caf?.png" in words


def test_an_audit_stands_in_the_page_and_in_its_head(run_dir):
    from tests.html.test_checks import check_headings, check_links, with_results

    outcomes = ("pass", "warning", "fail", "pass", "warning", *["pass"] * 3)
    disk.write_json(run_dir / "audit.json", with_results(*outcomes))
    reader, words = read(page.write(run_dir))
    links = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    assert links == [f"#check-{name}" for name in recorded_audit()["results"]]
    assert words.index("✗ Shortcuts without a mask: fail") < words.index("Right and wrong predictions")
    order = ("(95 % Wilson interval)", "The 8 checks", "Near copies in both sets", "Parameters and versions")
    assert sorted(order, key=words.index) == list(order)
    assert "not measured yet" not in words
    check_headings(reader)
    check_links(reader)


def test_the_audit_of_a_run_says_how_to_measure_another_source(run_dir):
    from tests.html.test_checks import of_a_run

    disk.write_json(run_dir / "audit.json", of_a_run())
    _, words = read(page.write(run_dir))
    assert words.count("not measured yet: make trust RUN=check AGAINST=") == words.count("not measured yet") == 2
    assert "✗ Split variance: fail" in words


def test_without_an_audit_it_says_how_to_make_one(run_dir):
    _, words = read(page.write(run_dir))
    assert words.count("not measured yet") == 1 and "not measured yet: make trust RUN=check" in words
    assert "How far to trust it:" not in words  # no checks in its head


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1}', '{"version": 3}'])
def test_a_damaged_audit_is_named(run_dir, content):
    (run_dir / "audit.json").write_text(content)
    reader, words = read(page.write(run_dir))
    assert "39 of 40" in words and words.count("audit.json cannot be used") == 1
    assert "Remove the file, then: make trust RUN=check" in words
    assert sum(attributes.get("class") == "banner" for _, attributes in reader.tags) == 1


def test_an_audit_may_show_people_on_a_page_of_drawn_faces(run_dir):
    Image.new("RGB", (30, 20)).save(run_dir / "figures" / "trust_against_mistakes.png")
    _, words = change(run_dir, source="demo")
    assert PRIVACY in words and PRIVACY_DRAWN not in words


# --- many classes -------------------------------------------------------------------------------


def many(run_dir, n, language="en", **more):
    """The page of a run of n classes, of which the last are the worst."""
    classes = sorted(f"class {number}" for number in range(1, n + 1))
    matrix = [[9 * (row == column) for column in range(n)] for row in range(n)]
    for row in range(n - min(5, n // 2), n):
        matrix[row][row], matrix[row][0] = 1, row
    found = {"classes": classes, "confusion": matrix, "per_class_scores": evaluate.per_class(matrix, classes)} | more
    return change(run_dir, language=language, **found)


def test_classes_are_shown_in_natural_order(run_dir):
    _, words = many(run_dir, 11)
    assert 0 < words.find("class 2 9 ") < words.find("class 10 9 ")
    assert "class 1, class 2, class 3, class 4" in words
    assert runs.read_metrics(run_dir)["classes"][:3] == ["class 1", "class 10", "class 11"]


@pytest.mark.parametrize("n", [30, 100])
def test_many_classes_do_not_fill_the_page(run_dir, n):
    reader, words = many(run_dir, n)
    assert f"{n}: class 1, class 2, class 3, class 4, class 5" in words and f"and {n - 12} more" in words
    assert f"The 12 classes with the lowest recall, of {n}." in words and f"All {n} classes as a table" in words
    alts = [attributes["alt"] for tag, attributes in reader.tags if tag == "img"]
    (matrix,) = [alt for alt in alts if "most frequent mistakes" in alt]
    worst = sorted(f"class {number}" for number in range(1, n + 1))[-1]
    assert f"mistakes: {worst} predicted as class 1, {n - 1} times;" in matrix and len(matrix) < 1000


def test_many_classes_in_indonesian(run_dir):
    _, words = many(run_dir, 30, "id")
    assert "12 kelas dengan recall terendah, dari 30 kelas." in words and "dan 18 lagi" in words


def test_a_class_that_figures_name_by_number_is_named_on_the_page(run_dir):
    _, words = many(run_dir, 2, classes=["\u53e3\u7f69", "bare"])
    assert "In the figures, #n is the n-th class: #1 \u53e3\u7f69." in words
    _, words = many(run_dir, 2)
    assert "In the figures, #n" not in words


@pytest.mark.parametrize("size, shape", [((2400, 1500), "large"), ((900, 2000), "long"), ((900, 1000), "tall")])
def test_large_figures_keep_a_size_that_can_be_read(run_dir, size, shape):
    Image.new("L", size).save(run_dir / "figures" / "confusion.png")
    html = page.write(run_dir).read_text(encoding="utf-8")
    assert f'class="picture {shape}" style="--natural: {size[0] * 96 // 150}px"' in html
