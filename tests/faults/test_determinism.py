"""Same seed and machine, same bytes, whatever the surroundings: folder order, locale, TZ, clock, working folder."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import fill

from faults import dwarf
from maskkit import split
from maskkit.core import paths
from maskkit.sources import folders

# Changed all at once: a run that is the same in all of them is the same in each.
SURROUNDINGS = {"PYTHONHASHSEED": "1", "LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Kiritimati", "CLOCK": "back"}
# The dwarf run once; a clock that goes back by an hour at each look.
CODE = """
import itertools, os, sys, time
from pathlib import Path
if os.environ.get("CLOCK") == "back":
    looks = itertools.count()
    time.time = lambda: 1e9 - 3600 * next(looks)
from faults import dwarf
dwarf.work(Path(sys.argv[1]), Path(sys.argv[2]), None)
"""


def run(root, photos, changes, where):
    path = os.pathsep.join((str(paths.ROOT), str(paths.ROOT / "tests")))
    plain = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONPATH": path}
    command = [sys.executable, "-c", CODE, str(root), str(photos)]
    done = subprocess.run(command, env=os.environ | plain | changes, cwd=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dwarf.results(root)


@pytest.mark.fault("determinism", "hash seed")
@pytest.mark.fault("determinism", "locale")
@pytest.mark.fault("determinism", "LANG=C")
@pytest.mark.fault("determinism", "TZ")
@pytest.mark.fault("determinism", "clock jumps")
@pytest.mark.fault("determinism", "any working directory")
def test_the_same_bytes_whatever_the_surroundings(tmp_path):
    photos = fill(tmp_path / "photos", ("with_mask", "without_mask"), 12)
    shutil.move(photos / "with_mask" / "003.png", photos / "with_mask" / "é ı İ 口罩.png")
    for name in ("plain", "odd"):
        (tmp_path / name).mkdir()
    expected = run(tmp_path / "plain", photos, {}, where=tmp_path)
    assert run(tmp_path / "odd", photos, SURROUNDINGS, where="/") == expected


@pytest.mark.fault("determinism", "folder order")
def test_the_same_bytes_whatever_order_the_folder_lists(photo_folder, tmp_path, monkeypatch):
    found = []
    for name, turn in (("a", sorted), ("b", lambda names: sorted(names, reverse=True))):
        (tmp_path / name).mkdir()
        with monkeypatch.context() as patch:
            reorder(patch, turn)
            source = folders.find(str(photo_folder))
            split.curate(source, tmp_path / name, per_class=12, split="grouped", seed=0)
        found.append((tmp_path / name / "split.csv").read_bytes())
    assert found[0] == found[1]


def reorder(patch, turn):
    """Let the system list folders in an order of ours."""
    listdir, scandir = os.listdir, os.scandir

    class Scan(list):
        def __enter__(self):
            return iter(self)

        def __exit__(self, *_):
            pass

        def __next__(self):  # os.walk asks for one at a time
            if not self:
                raise StopIteration
            return self.pop(0)

        def __iter__(self):
            return self

        def close(self):
            pass

    def by_name(path="."):
        with scandir(path) as found:
            entries = {entry.name: entry for entry in found}
        return Scan(entries[name] for name in turn(entries))

    patch.setattr(os, "listdir", lambda path=".": list(turn(listdir(path))))
    patch.setattr(os, "scandir", by_name)
