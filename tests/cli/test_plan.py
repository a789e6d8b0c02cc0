"""`maskkit plan`: a table, two sentences and a figure, of a folder and of a run."""

import shutil

import pytest

from maskkit.cli import main
from maskkit.core import paths


def test_a_folder_is_planned(demo_set, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    for name in ("with_mask", "without_mask"):
        (tmp_path / "few" / name).mkdir(parents=True)
        for path in sorted((demo_set / name).glob("*"))[:30]:
            shutil.copy(path, tmp_path / "few" / name)
    assert main.main(["plan", str(tmp_path / "few"), "--width", "5", "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("photos "))
    assert lines[head].split() == ["photos", "accuracy", "95", "%", "interval"]
    assert lines[-6].startswith("60 (forecast)") and lines[-4].startswith("120 (forecast)")
    assert lines[-3].startswith("With 100 more photos, accuracy would rise by ") and "interval of 5 points" in lines[-3]
    assert (tmp_path / "out" / "figures" / "plan.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demo", "--width", "0"], "--width must be above 0 and at most 50 points, got 0"),
        (["demo", "--width", "nan"], "--width must be above 0 and at most 50 points, got nan"),
        (["nowhere"], "RUN_OR_FOLDER: there is no folder nowhere"),
    ],
)
def test_mistakes_are_reported(capsys, words, message):
    assert main.main(["plan", *words]) == 2
    assert message in capsys.readouterr().err
