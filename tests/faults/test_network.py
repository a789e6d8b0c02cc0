"""No network, a network that hangs, refuses or breaks off: served on loopback. Both downloads are asked."""

import hashlib
import http.server
import threading
import time

import pytest

from maskkit import pretrained
from maskkit.core import paths
from maskkit.sources import kaggle

CONTENT = b"weights" * 1000
NAME = f"w-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def server():
    """Serves CONTENT by the ways in `server.ways`, one per request, the last one from then on."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            way = httpd.ways.pop(0) if len(httpd.ways) > 1 else httpd.ways[0]
            httpd.asked.append(way)
            if way == "silent":
                httpd.over.wait()
                return
            self.send_response(403 if way == "403" else 200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write({"403": b"", "whole": CONTENT, "half": CONTENT[:3500], "wrong": CONTENT[::-1]}[way])

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.ways, httpd.asked, httpd.over = ["whole"], [], threading.Event()
    httpd.address = f"http://127.0.0.1:{httpd.server_port}/{NAME}"
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd
    httpd.over.set()
    httpd.shutdown()
    httpd.server_close()


@pytest.mark.fault("models", "wrong hash of downloaded weights")
@pytest.mark.fault("models", "half-downloaded file")
@pytest.mark.parametrize("way", ["wrong", "half"])
def test_a_bad_download_is_deleted_and_fetched_once_more(server, tmp_path, way):
    server.ways = [way, "whole"]
    with pytest.warns(UserWarning, match="deleted, fetched once more"):
        pretrained.download(server.address, tmp_path / NAME)
    assert [path.name for path in tmp_path.iterdir()] == [NAME] and (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.fault("models", "wrong hash of downloaded weights")
def test_a_bad_download_twice_is_an_error_with_both_hashes(server, tmp_path):
    server.ways = ["wrong"]
    got = hashlib.sha256(CONTENT[::-1]).hexdigest()
    with (
        pytest.warns(UserWarning),
        pytest.raises(FileNotFoundError, match=f'expected "{NAME[2:10]}", got "{got}"(.|\n)*By hand'),
    ):
        pretrained.download(server.address, tmp_path / NAME)
    assert server.asked == ["wrong", "wrong"] and not list(tmp_path.iterdir())


@pytest.mark.fault("machine", "HTTP 403")
@pytest.mark.fault("machine", "hanging network")
@pytest.mark.parametrize(("way", "reason"), [("403", "HTTP Error 403"), ("silent", "timed out")])
def test_weights_from_a_server_that_refuses_or_hangs(server, tmp_path, monkeypatch, way, reason):
    monkeypatch.setattr(pretrained, "DOWNLOAD_TIMEOUT", 0.3)
    server.ways = [way]
    with pytest.raises(FileNotFoundError, match=f"Tried to download http.*{reason}(.|\n)*By hand: put that file at"):
        pretrained.download(server.address, tmp_path / NAME)
    assert server.asked == [way] and not list(tmp_path.iterdir())


@pytest.mark.fault("machine", "no network")
def test_weights_without_a_network(server, tmp_path):
    server.shutdown()
    server.server_close()  # nobody listens on that port any more
    with pytest.raises(FileNotFoundError, match="Tried to download http.*Connection refused"):
        pretrained.download(server.address, tmp_path / NAME)
    assert not list(tmp_path.iterdir())


FETCH = "urllib.request.urlopen({!r}).read()"  # in the place of kagglehub's own call


@pytest.mark.fault("machine", "HTTP 403")
@pytest.mark.fault("machine", "hanging network")
@pytest.mark.fault("machine", "no network")
@pytest.mark.parametrize(("way", "reason"), [("403", "HTTP Error 403"), ("silent", "took longer than 1"), ("", "refu")])
def test_photos_from_a_server_that_refuses_hangs_or_is_not_there(server, tmp_path, monkeypatch, way, reason):
    """kagglehub's place is taken by a plain request; that it runs in a process of its own is what counts."""
    monkeypatch.setattr(paths, "DATA", tmp_path)
    plain = kaggle.DOWNLOAD.replace("import kagglehub", "import urllib.request")
    plain = plain.replace("kagglehub.dataset_download(sys.argv[1])", FETCH.format(server.address))
    monkeypatch.setattr(kaggle, "DOWNLOAD", plain)
    server.ways = [way]
    if not way:
        server.shutdown()
        server.server_close()
    began = time.monotonic()
    with pytest.raises(FileNotFoundError, match=f"through kagglehub: .*{reason}(.|\n)*By hand: open the page"):
        kaggle.fetch(time_limit=1 if way == "silent" else 600)
    assert way != "silent" or time.monotonic() - began >= 1
