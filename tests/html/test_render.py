"""The pieces of pages that Python makes itself, and what every template shares."""

import pytest
from PIL import Image

from maskkit.html import markup, render


def test_an_element_escapes_its_text_and_attributes():
    made = markup.element("p", markup.element("b", "<x>"), " & ", aria_label='"a"', class_="c")
    assert made == '<p aria-label="&#34;a&#34;" class="c"><b>&lt;x&gt;</b> &amp; </p>'


def test_a_table_alone_is_escaped_and_labelled():
    macros = render.environment("en").get_template("macros.html").module
    html = macros.table("said <b>", ["name", "n"], [["<i>", 1], [markup.element("code", "x"), 2]])
    assert "<caption>said &lt;b&gt;</caption>" in html and "&lt;i&gt;</th>" in html and "<code>x</code></th>" in html
    assert html.count('scope="col"') == html.count('scope="row"') == 2


@pytest.mark.parametrize(
    ("n", "words"), [(2, "class 0, class 1"), (20, "20: class 0, class 1, class 2"), (13, "and 1 more")]
)
def test_classes_are_named_in_a_line(n, words):
    assert words in render.class_list([f"class {place}" for place in range(n)])


def test_a_figure_knows_its_size_and_shape(tmp_path):
    assert markup.read_figure(tmp_path / "none.png") is None
    Image.new("L", (2400, 1500)).save(tmp_path / "wide.png")
    figure = markup.read_figure(tmp_path / "wide.png")
    assert (figure.width, figure.height, figure.shape, figure.natural_px) == (2400, 1500, "large", 1536)


@pytest.mark.parametrize("name", render.environment("en").list_templates(["html"]))
def test_every_template_can_be_read_in_every_language(name):
    for language in ("en", "id"):
        render.environment(language).get_template(name)


def test_the_style_sheet_loads_nothing():
    assert not any(word in render.environment("en").globals["css"] for word in ("@import", "url(", "</"))
