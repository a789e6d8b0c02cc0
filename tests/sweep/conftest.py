import pytest

from maskkit.core import paths
from maskkit.sweep import sweep


@pytest.fixture
def tiny(photo_folder, tmp_path, monkeypatch):
    """A sweep of four recipes over 15 + 15 small photos, and a cache of its own."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return {
        "RUN": "tiny",
        "DATA": str(photo_folder),
        "ARCH": "resnet18",
        "WEIGHTS": "none",
        "SIZE_PX": 32,
        "PER_CLASS": 10,
        "EPOCHS": [2, 1],
        "SEED": [0, 1],
    }


@pytest.fixture
def run_sweep(tmp_path):
    """Run a sweep into tmp_path/out, without notebooks: (the sweep, the lines it printed)."""

    def run(given, **options):
        lines = []
        return sweep.run(given, tmp_path / "out", print_line=lines.append, **{"best": False} | options), lines

    return run
