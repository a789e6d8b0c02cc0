"""Commands and links in README and docs are ones that exist."""

import re
import shlex

import mistune
import pytest

from maskkit.cli import main
from maskkit.core import paths

PAGES = sorted([paths.ROOT / "README.md", paths.ROOT / "CONTRIBUTING.md", *(paths.ROOT / "docs").glob("*.md")])
TEXTS = {path.relative_to(paths.ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
COMMAND = re.compile(r"(?:^|\| )(?:\.venv/bin/)?maskkit ([a-z]+ [^|>#\n]*)", re.MULTILINE)


def fenced(text: str) -> str:
    return "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def commands() -> list[tuple[str, str]]:
    return [(name, words.strip()) for name, text in TEXTS.items() for words in COMMAND.findall(fenced(text))]


@pytest.mark.parametrize(("page", "words"), commands())
def test_a_command_is_one_that_the_command_line_takes(page, words):
    main.parser().parse_args(shlex.split(words))


def test_commands_are_found_in_readme_and_docs():
    assert len(commands()) > 12 and {"README.md", "docs/models.md"} <= {page for page, _ in commands()}


@pytest.mark.parametrize("page", TEXTS)
def test_make_targets_exist(page):
    makefile = (paths.ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:`|^\$? ?)make ([a-z-]+)", TEXTS[page], re.MULTILINE)
    assert set(named) <= targets


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_to_files_and_headings_that_are_there(page):
    html = mistune.html(TEXTS[page])
    for link in re.findall(r'(?:href|src)="([^"]+)"', html):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, heading = link.partition("#")
        target = (paths.ROOT / page).parent / file if file else paths.ROOT / page
        assert target.exists(), link
        if heading:
            assert heading in anchors(target.read_text(encoding="utf-8")), link
