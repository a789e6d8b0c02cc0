"""The doctor says what is there and what is not, and is never held up by the network."""

import threading
import urllib.error

from maskkit.cli import main
from maskkit.core import paths
from maskkit.runner import doctor
from maskkit.sources import kaggle


def refuse(request, timeout):
    raise urllib.error.URLError("no network here")


def test_it_names_sizes_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(paths, "KAGGLE_INPUT", tmp_path / "input")
    paths.CACHE.mkdir()
    (paths.CACHE / "features").write_bytes(bytes(2_500_000))
    found, advice = doctor.examine(refuse)
    assert found["folders"]["feature cache"].endswith("cache (1 files, 2.5 MB)")
    assert set(found["reached"].values()) == {"no: <urlopen error no network here>"}
    said = "\n".join(advice)
    assert kaggle.PAGE in said and "not all notebooks are there" in said and "falls back to MobileNetV2" in said


def test_an_answer_of_any_kind_is_an_answer():
    def forbid(request, timeout):
        raise urllib.error.HTTPError(request.full_url, 404, "not for HEAD", {}, None)

    assert doctor.ask("http://localhost", forbid) == "yes"


def test_silence_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "TIME_LIMIT", 0.2)
    never = threading.Event()
    found = doctor.reach({"a": "http://localhost"}, lambda request, timeout: never.wait())
    assert found == {"a": "no: no answer within 0.2 s"}


def test_the_command_prints_every_section(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: ({"versions": {"torch": "9"}}, []))
    assert main.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "torch" in out and "nothing: all is there" in out and out.splitlines()[-1].endswith("reproduce")
