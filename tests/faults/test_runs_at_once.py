"""Two processes at one time: one run folder, one feature cache."""

import os
import signal
import subprocess
import sys

import filelock
import numpy as np
import pytest

from maskkit import features, runs
from maskkit.core import paths
from maskkit.runner import reproduce

HOLD = """
import sys, time
from pathlib import Path
from maskkit import runs
with runs.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(10_000)
"""
FILL = """
import sys
import numpy as np
from pathlib import Path
from maskkit import features
sys.stdin.readline()
for start in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
    features.write_shard(Path(sys.argv[1]), {f"{n:064x}": np.full(4, n, np.float32) for n in range(start, start + 5)})
"""


def python(code, *arguments):
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.fault("machine", "two runs into one folder: the second refuses")
@pytest.mark.fault("machine", "stale lock")
def test_the_second_run_refuses_and_a_dead_one_s_lock_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    printed = []
    holder = python(HOLD, tmp_path / "mine")
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(ValueError, match="RUN: another process is writing .*mine; wait for its end, or give"):
            reproduce.reproduce(paths.NOTEBOOKS / "report.yaml", {"RUN": "mine", "DATA": "demo"}, printed.append)
        assert not printed  # the photos were not looked for
        with runs.locked(tmp_path / "another"):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert (tmp_path / ".mine.lock").is_file()  # left behind, and no hindrance
    with runs.locked(tmp_path / "mine"), pytest.raises(filelock.Timeout):
        filelock.FileLock(tmp_path / ".mine.lock", timeout=0).acquire()


@pytest.mark.fault("machine", "two processes filling one cache")
def test_two_processes_fill_one_cache(tmp_path):
    """They write overlapping photos at the same time while this one reads; nothing is half there, nothing is lost."""
    writers = [python(FILL, tmp_path, start) for start in (0, 30)]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    while any(writer.poll() is None for writer in writers):
        check(features.read_shards(tmp_path, 4))
    assert [writer.wait() for writer in writers] == [0, 0]
    found = features.read_shards(tmp_path, 4)
    check(found)
    assert len(found) == 94 and not list(tmp_path.glob(".*"))


def check(found):
    assert all((values == np.float32(int(digest, 16))).all() for digest, values in found.items())
