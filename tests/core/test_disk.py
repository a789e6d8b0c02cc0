import json
import os

import pytest

from maskkit.core import disk


def test_a_damaged_file_of_a_run_is_named(tmp_path):
    (tmp_path / "metrics.json").write_text('{"best": ')
    with pytest.raises(ValueError, match="metrics.json is damaged .*: remove it, and run again what wrote it"):
        disk.read_json(tmp_path / "metrics.json")


def test_writing_fails_whole(tmp_path, monkeypatch):
    disk.write_json(tmp_path / "x.json", {"good": 1})
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        disk.write_json(tmp_path / "x.json", {"good": 2})
    assert json.loads((tmp_path / "x.json").read_text()) == {"good": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
