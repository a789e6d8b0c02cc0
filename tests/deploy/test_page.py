from html.parser import HTMLParser

from conftest import draw_photo

from maskkit.deploy import page, summary


class Reader(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.tags, self.words = [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words += data

    def attributes(self, tag, name):
        return [values.get(name, "") for own, values in self.tags if own == tag]


def test_the_page_is_escaped_and_loads_nothing(command, photos, trained, tmp_path):
    written = tmp_path / "page.html"
    assert command(photos, "--model", trained, "--html", written)[0] == 0
    found = Reader(written)
    assert "3 photos, 3 files skipped" in found.words and "do not share it without" in found.words
    assert not found.attributes("script", "src") and "<script>" in found.words.replace("∕", "/")
    pictures = found.attributes("img", "src")
    assert len(pictures) == 3 and all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert not found.attributes("link", "href") and "text.jpg" in found.words and str(trained.name) in found.words


def test_the_page_shows_the_least_sure_and_says_how_many(tmp_path, monkeypatch):
    monkeypatch.setattr(summary, "SHOWN", 5)
    monkeypatch.setattr(summary, "NAMED", 2)
    draw_photo(0, size_px=400).save(tmp_path / "x.png")
    counted = summary.Summary(("a_b", "c"))
    for step in range(20):
        row = {"file": str(tmp_path / "x.png"), "label": "c", "probability": 0.99 - 0.02 * step, "note": ""}
        counted.add(row)
        counted.add({"file": f"bad {step}", "label": None, "probability": None, "note": "broken"})
    assert [round(row["probability"], 2) for row, _ in counted.pictured] == [0.61, 0.63, 0.65, 0.67, 0.69]
    found = Reader(page.write(counted, {"model": "m"}, tmp_path / "page.html"))
    assert "This page shows 5 of the 20 photos" in found.words and "The first 2 of 20." in found.words
    assert found.words.count("bad ") == 2
    assert len(found.attributes("img", "src")[0]) < 20_000
    assert sum(sum(levels.values()) for levels in counted.confidence.values()) == counted.n == 20


def test_a_photo_that_vanished_is_shown_without_picture(tmp_path):
    counted = summary.Summary(("a",))
    counted.add({"file": "gone.png", "label": "a", "probability": 1.0, "note": ""})
    found = Reader(page.write(counted, {"model": "m"}, tmp_path / "page.html"))
    assert "no longer there" in found.words and not found.attributes("img", "src")


def test_a_page_of_many_classes_counts_the_most_frequent_and_the_others_together(tmp_path):
    classes = sorted(f"class {number}" for number in range(1, 31))
    counted = summary.Summary(classes)
    for place, name in enumerate(classes):
        for _ in range(place + 1):
            counted.add({"file": "a", "label": name, "probability": 0.9, "note": ""})
    counts = page.counts(counted)
    assert len(counts) == 14 and next(iter(counts)) == classes[-1]
    assert counts["18 other classes"] == "171 (36.8 %)"
    html = page.write(counted, {}, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "All 30 classes as a table" in html and html.index("class 2</th>") < html.index("class 10</th>")
