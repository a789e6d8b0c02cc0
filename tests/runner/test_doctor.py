"""The doctor says what is there and what is not, and is never held up by the network."""

import threading
import urllib.error

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
    findings, advice = doctor.examine(refuse)
    assert findings["folders"]["feature cache"].endswith("cache (1 files, 2.5 MB)")
    assert set(findings["reached"].values()) == {"no: <urlopen error no network here>"}
    text = "\n".join(advice)
    assert kaggle.PAGE in text and "not all notebooks are there" in text and "falls back to MobileNetV2" in text


def test_an_answer_of_any_kind_is_an_answer():
    def forbid(request, timeout):
        raise urllib.error.HTTPError(request.full_url, 404, "not for HEAD", {}, None)

    assert doctor.request("http://localhost", forbid) == "yes"


def test_silence_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "TIME_LIMIT", 0.2)
    never = threading.Event()
    found = doctor.check_reachable({"a": "http://localhost"}, lambda request, timeout: never.wait())
    assert found == {"a": "no: no answer within 0.2 s"}
