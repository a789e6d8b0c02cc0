import pytest

from maskkit.cli import main
from maskkit.sweep import cluster


def test_an_unreachable_scheduler_is_said_in_time(tmp_path, trained, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    (tmp_path / "x.png").touch()
    out, address = str(tmp_path / "out"), "tcp://127.0.0.1:9"
    arguments = ["predict", str(tmp_path / "x.png"), "--model", str(trained), "--out", out, "--cluster", address]
    assert main.main(arguments) == 2
    assert f"no scheduler answered at {address} within 0.5 s: start one with `dask sched" in capsys.readouterr().err


def test_without_address_and_workers_there_is_no_client():
    with cluster.open_client() as client:
        assert client is None
    with pytest.raises(ValueError, match="--workers must be at least 1, got -1"), cluster.open_client(n_workers=-1):
        pass


class OldWorker:
    """As a client, as far as `check_workers` asks: one worker runs another torch."""

    def wait_for_workers(self, n, timeout):
        pass

    def scheduler_info(self):
        return {"address": "tcp://here:1"}

    def run(self, function):
        return {"tcp://near:1": function(), "tcp://far:1": function() | {"torch": "1.0", "matplotlib": "0"}}


def test_other_versions_are_named(thread_client):
    cluster.check_workers(thread_client)
    with pytest.raises(ValueError, match="worker tcp://far:1 and this client differ: torch [^,]* here, 1.0 there;"):
        cluster.check_workers(OldWorker())


def test_a_scheduler_without_workers_is_said(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(FileNotFoundError, match=f"{empty.scheduler_address} has no worker: start some with `dask w"),
        cluster.open_client(empty.scheduler_address),
    ):
        pass
