import mistune
import pytest

from maskkit.core import markdown

NASTY = "a|b <script>x</script> [l](http://e.org) ![i](x) `c` *d* _e_ ~~s~~ # f\n## g & x@y.org"


@pytest.mark.parametrize("text", [NASTY, "with_mask", "caf\udce9"])
def test_a_cell_shows_the_text_it_was_given(text):
    html = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])(
        markdown.table(("what", "value"), [(text, 1)])
    )
    assert html.count("<td") == 2 and html.count("<th") - html.count("<thead") == 2
    for tag in ("<script", "<a ", "<img", "<em>", "<h1", "<del", "<code"):
        assert tag not in html


def test_code_cannot_be_left():
    assert markdown.code("make `x`\n y") == "`make x y`"
