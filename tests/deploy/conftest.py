import csv
import io
import sys

import pytest
from conftest import draw_photo

from maskkit.cli import main

NASTY = "=<script>alert(1)</script> 😷 a\nb.png"


@pytest.fixture
def photos(tmp_path):
    """A folder of three good files and three bad ones, with litter, in sub-folders, under names of all kinds."""
    folder = tmp_path / "my photos"
    (folder / "sub 😷").mkdir(parents=True)
    for seed, name in enumerate(("a b.png", "sub 😷/שלום.jpg", NASTY.replace("/", "∕"))):
        draw_photo(seed, size_px=40 + seed).save(folder / name)
    (folder / "text.jpg").write_text("no photo")
    (folder / "empty.png").touch()
    (folder / "cut.png").write_bytes((folder / "a b.png").read_bytes()[:200])
    (folder / ".DS_Store").touch()
    return folder


@pytest.fixture
def command(capfd, monkeypatch):
    """Run `maskkit predict`: (exit code, rows of the table, what was told)."""

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main.main(["predict", *map(str, arguments)])
        said = capfd.readouterr()
        return code, list(csv.DictReader(io.StringIO(said.out, newline=""))), said.err

    return run
