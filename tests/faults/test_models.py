"""Files that call themselves a model or weights, and are not, or are another's."""

import http.server
import pickle
import shutil
import threading

import pytest
import safetensors.torch
import torch

from maskkit import checkpoint, model, pretrained
from maskkit.cli import main
from maskkit.core import disk
from maskkit.deploy import classifier

fault = lambda name: pytest.mark.fault("models", name)  # noqa: E731 (a mark's short name)


class Payload:
    """Unpickled, it writes a file named payload_ran."""

    def __reduce__(self):
        return (open, ("payload_ran", "w"))


@pytest.fixture
def run_dir(trained, tmp_path, monkeypatch):
    """A model of its own, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def refused(run_dir, tmp_path, capsys):
    """Classify with the model: exit code 2 and one line, returned; the model's files stay as they were."""

    def call():
        before = [path.read_bytes() for path in sorted(run_dir.iterdir())]
        (tmp_path / "photos").mkdir(exist_ok=True)
        assert main.main(["predict", "photos", "--model", str(run_dir)]) == 2
        said = capsys.readouterr().err.splitlines()
        assert said.pop(0) == "photos holds no file" and len(said) == 1
        assert before == [path.read_bytes() for path in sorted(run_dir.iterdir())]
        return said[0]

    return call


def test_the_payload_of_these_tests_does_run_when_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Payload()))
    assert (tmp_path / "payload_ran").exists()


@fault("pickle with a payload")
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))], ids=["zip", "bare"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".bin"])
def test_a_pickle_is_refused_as_weights_and_its_payload_never_runs(tmp_path, monkeypatch, write, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"weights{suffix}"
    write({"conv1.weight": torch.zeros(1), "x": Payload()}, path)
    with pytest.raises(ValueError, match=f"weights{suffix} is damaged or holds more than tensors, so it is not loaded"):
        pretrained.find("resnet18", str(path))
    assert path.is_file() and not (tmp_path / "payload_ran").exists()


@fault("pickle with a payload")
def test_a_pickle_is_refused_as_a_model_or_checkpoint_and_its_payload_never_runs(run_dir, refused, tmp_path):
    torch.save({"x": Payload()}, run_dir / "model.safetensors")
    assert "model.safetensors is damaged or holds more than tensors" in refused()
    with pytest.raises(ValueError, match="so it is not loaded"):
        pretrained.read_tensors(run_dir / "model.safetensors")
    torch.save({"fingerprint": "x", "network": Payload()}, tmp_path / "training.pt")
    with pytest.raises(ValueError, match="so it is not loaded"):  # what `TrainingCheckpoint` reads it by
        pretrained.read_tensors(tmp_path / "training.pt")
    assert not (tmp_path / "payload_ran").exists()


@fault("truncated")
@pytest.mark.parametrize("n", [0, 5, 1000, -1])
def test_a_truncated_model_is_refused(run_dir, refused, n):
    path = run_dir / "model.safetensors"
    path.write_bytes(path.read_bytes()[:n])
    assert f"{path} is damaged" in refused()


@fault("truncated")
def test_truncated_weights_are_refused(tmp_path):
    torch.save(model.skeleton("resnet18", 2, seed=0).state_dict(), tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:-1000])
    with pytest.raises(ValueError, match="w.pth is damaged"):
        pretrained.find("resnet18", str(tmp_path / "w.pth"))


@fault("foreign")
def test_a_foreign_model_is_refused(run_dir, refused):
    state = model.skeleton("mobilenet_v2", 2, seed=0).state_dict()
    safetensors.torch.save_file(state, run_dir / "model.safetensors")
    assert "does not fit resnet18 with 2 classes" in refused()
    (run_dir / "model.json").write_text('{"model_type": "bert"}')
    assert "model.json does not describe a model of maskkit" in refused()


@fault("foreign")
def test_foreign_weights_and_a_list_are_refused(tmp_path):
    torch.save(model.skeleton("mobilenet_v2", 2, seed=0).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match="w.pth is not of resnet18: .* tensors are missing"):
        pretrained.find("resnet18", str(tmp_path / "w.pth"))
    torch.save([1, 2], tmp_path / "w.pth")
    with pytest.raises(ValueError, match="not a state dict"):
        pretrained.find("resnet18", str(tmp_path / "w.pth"))


@fault("other classes")
def test_a_model_of_other_classes_names_both(run_dir):
    with pytest.raises(ValueError, match="was trained on with_mask, without_mask, but the photos are cat, dog"):
        checkpoint.load(run_dir, classes=("cat", "dog"))
    text = (run_dir / "model.json").read_text()
    (run_dir / "model.json").write_text(text.replace('"without_mask"', '"without_mask", "a third"'))
    with pytest.raises(ValueError, match="does not fit resnet18 with 3 classes"):
        classifier.from_run(run_dir)


@fault("NaN weights")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(run_dir, refused, value):
    state = safetensors.torch.load_file(run_dir / "model.safetensors")
    state["layer1.0.conv1.weight"][0] = value
    safetensors.torch.save_file(state, run_dir / "model.safetensors")
    assert "layer1.0.conv1.weight holds values that are not finite" in refused()


# --- downloaded weights -------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on loopback in the place of torchvision's, its cache in tmp_path; `answers` are given in turn."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = self.server.answers.pop(0)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + self.server.short))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.short = 0  # bytes promised and not sent
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    torch.save({k: v.half() for k, v in model.skeleton("resnet18", 1000, seed=1).state_dict().items()}, tmp_path / "w")
    httpd.good, httpd.digest = (tmp_path / "w").read_bytes(), disk.sha256(tmp_path / "w")
    httpd.path = tmp_path / "checkpoints" / f"resnet18-{httpd.digest[:8]}.pth"
    entry = type("Entry", (), {"url": f"http://127.0.0.1:{httpd.server_port}/{httpd.path.name}"})
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setitem(
        model.ARCHITECTURES,
        "resnet18",
        model.Architecture(model.ARCHITECTURES["resnet18"].build, entry, "fc", "layer4"),
    )
    model.architecture.cache_clear()
    yield httpd
    model.architecture.cache_clear()
    httpd.shutdown()
    httpd.server_close()


@fault("wrong hash of downloaded weights")
def test_a_wrong_download_is_deleted_and_fetched_once_more(server):
    server.answers = [b"something else", server.good]
    with pytest.warns(UserWarning, match=f'expected "{server.digest[:8]}", got "[0-9a-f]{{64}}".*fetched once more'):
        source = pretrained.find("resnet18", "imagenet")
    assert source.sha256 == server.digest and not server.answers
    assert [path.name for path in server.path.parent.iterdir()] == [server.path.name]


@fault("wrong hash of downloaded weights")
def test_after_two_wrong_downloads_both_hashes_are_said_and_nothing_is_left(server):
    server.answers = [b"something else", b"something else", server.good]
    both = f'expected "{server.digest[:8]}", got "[0-9a-f]{{64}}"(.|\n)*By hand: put'
    with pytest.warns(UserWarning, match="fetched once more"), pytest.raises(FileNotFoundError, match=both):
        pretrained.find("resnet18", "imagenet")
    assert len(server.answers) == 1 and not list(server.path.parent.iterdir())


@fault("half-downloaded file")
def test_half_a_file_in_the_cache_is_deleted_and_fetched_again(server):
    server.path.parent.mkdir()
    server.path.write_bytes(server.good[: len(server.good) // 2])
    half = disk.sha256(server.path)
    server.answers = [server.good]
    with pytest.warns(UserWarning, match=f"had sha256 {half} instead of {server.digest[:8]}.*deleted, fetched again"):
        assert pretrained.find("resnet18", "imagenet").sha256 == server.digest
    assert server.path.read_bytes() == server.good


@fault("half-downloaded file")
def test_a_connection_that_breaks_off_leaves_nothing(server):
    server.answers, server.short = [server.good[:1000]] * 2, 5000
    with pytest.warns(UserWarning), pytest.raises(FileNotFoundError, match="Tried to download"):
        pretrained.find("resnet18", "imagenet")
    assert not list(server.path.parent.iterdir())
