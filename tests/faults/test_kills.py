"""SIGKILL, at each step and at random, then start again: the result is bit-identical to the unbroken run."""

import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
from conftest import fill

from faults import dwarf
from maskkit import features, runs

N_RANDOM = 200 if os.environ.get("FAULTS") == "long" else 10
# Where the process dies: a pattern of file events, and which of them.
STEPS = {
    "prepare": (r"^os.link", 7),
    "prepare, split.csv": (r"^half written .*/\.split\.csv", 1),
    "cache write": (r"^half written .*/cache/", 1),
    "training": (r"^os.rename .*/tail\.checkpoint$", 2),
    "checkpoint": (r"^half written .*/\.tail\.checkpoint", 2),
    "writing the model": (r"^half written .*/\.model\.safetensors", 1),
    "between notebooks": (r"^open .*/02_train_recipe.ipynb", 1),
    "an earlier run steps aside": (r"^os.rename .*/\.dwarf\.old$", 1),
    "the new run comes in": (r"^os.rename .*\.part .*/runs/dwarf$", 1),
}


slow = pytest.mark.slow  # a killed run and its repetition are three processes that import torch


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """(photos, root of a finished run, its results, its file events)."""
    root = tmp_path_factory.mktemp("unbroken")
    photos = fill(root / "photos", ("with_mask", "without_mask"), 12)
    code, events = dwarf.run(root, photos)
    assert code == 0
    return photos, root, dwarf.results(root), events


@pytest.fixture
def second(unbroken, tmp_path):
    """A root where an earlier run stands, which another model was the result of."""
    shutil.copytree(unbroken[1] / "runs", tmp_path / "runs")
    (tmp_path / "runs" / dwarf.NAME / "history.csv").write_text("an earlier run")
    return tmp_path


def earlier(root):
    """The earlier run's file, wherever the killed process left it."""
    return [path for path in root.glob("runs/*dwarf*/history.csv") if path.read_text() == "an earlier run"]


@slow
@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=pytest.mark.fault("machine", f"SIGKILL: {step}")) for step in STEPS]
)
def test_killed_at_a_step_and_started_again(unbroken, second, step):
    photos, _, results, events = unbroken
    assert dwarf.run(second, photos, kill=STEPS[step])[0] == -signal.SIGKILL
    assert earlier(second)
    code, again = dwarf.run(second, photos)
    assert code == 0 and dwarf.results(second) == results
    if step in ("training", "checkpoint"):  # resumed at the epoch it had reached
        assert epochs(again) == epochs(events) - 1 == 2


def epochs(events):
    return sum("half written" in event and "tail.checkpoint" in event for event in events)


@slow
@pytest.mark.fault("machine", "SIGKILL at random, many times")
@pytest.mark.parametrize("seed", range(N_RANDOM))
def test_killed_at_random_and_started_again(unbroken, second, seed):
    """Half of them at a file event, half at a moment; up to three kills before a run is let through."""
    photos, _, results, events = unbroken
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.5:
            dwarf.run(second, photos, kill=("", chance.randint(1, len(events))))
        else:
            dwarf.run(second, photos, after=chance.uniform(0, 4))
    assert dwarf.run(second, photos)[0] == 0 and dwarf.results(second) == results


def test_an_earlier_run_comes_back_where_the_exchange_was_cut_off(tmp_path):
    """Also when the next try fails: it is back before that one begins. Another run's folders are let alone."""
    old, other, left = tmp_path / ".mine.old", tmp_path / "mine.more.0123abcd.part", tmp_path / "mine.0123abcd.part"
    for folder in (old, other, left):
        folder.mkdir()
    (left / runs.CHECKPOINT).write_bytes(b"epoch 3")
    part = runs.working_folder(tmp_path / "mine")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "mine", other, part])
    assert (part / runs.CHECKPOINT).read_bytes() == b"epoch 3"


def test_what_killed_writers_left_in_the_cache_goes_after_a_day(tmp_path):
    old, fresh = tmp_path / ".old.safetensors", tmp_path / ".fresh.safetensors"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    features.write_shard(tmp_path, {"00" * 32: np.zeros(4, np.float32)})
    assert fresh.exists() and not old.exists()
