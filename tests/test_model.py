import hashlib
import http.server
import json
import threading

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import draw_photo
from torch import nn

from maskkit import checkpoint, model, pretrained
from maskkit.core import disk
from maskkit.improve import engines

pytestmark = pytest.mark.numeric

RANDOM = pretrained.Pretrained("resnet18", "none", None, "")


def test_1026_of_11177538_weights_learn():
    assert model.count_weights(model.build(RANDOM, 2, seed=0)) == (1_026, 11_177_538)


def test_packaged_mobilenet_has_imagenet_statistics():
    network = model.build(pretrained.find("mobilenet_v2", "packaged"), 2, seed=0)
    assert model.count_weights(network) == (2_562, 2_226_434)
    variance = network.features[18][1].running_var
    assert variance.shape == (1280,) and not torch.equal(variance, torch.ones(1280))  # ones are what "none" has


def test_training_a_network_leaves_the_next_one_of_its_source_as_it_was():
    source = pretrained.find("mobilenet_v2", "packaged")
    first, before = model.build(source, 2, seed=0), model.build(source, 2, seed=0).state_dict()
    with torch.no_grad():
        for weight in model.unfreeze(first, "mobilenet_v2").parameters():
            weight.add_(1)
    after = model.build(source, 2, seed=0).state_dict()
    assert all(torch.equal(values, before[name]) for name, values in after.items())
    assert not torch.equal(first.state_dict()["features.18.0.weight"], before["features.18.0.weight"])


def test_seed_draws_the_head_and_leaves_the_global_state_alone():
    state = torch.get_rng_state()
    first, same, other = (model.build(RANDOM, 2, seed=seed).fc.weight for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_transform_resizes_as_floats_and_normalises(dwarf):
    tensor = dwarf(draw_photo(0, size_px=128))
    assert tensor.shape == (3, 64, 64) and tensor.dtype == torch.float32
    pixels = torch.tensor(np.array(draw_photo(0, size_px=128)), dtype=torch.float32).mean((0, 1)) / 255
    wanted = (pixels - torch.tensor(dwarf.mean)) / torch.tensor(dwarf.std)
    assert torch.allclose(tensor.mean((1, 2)), wanted, atol=0.01)


@pytest.mark.parametrize("arch", list(model.ARCHITECTURES))
def test_trunk_and_tail_are_the_network(arch):
    network = model.build(pretrained.Pretrained(arch, "none", None, ""), 2, seed=0)
    trunk, tail = model.cut(network, arch)
    images = torch.rand(2, 3, 64, 64)
    assert torch.allclose(tail(trunk(images)), network(images), atol=1e-5)
    assert model.count_weights(nn.Sequential(trunk, tail)) == model.count_weights(network)


@pytest.mark.parametrize(("arch", "learns"), [("resnet18", "8,389,634"), ("mobilenet_v2", "881,602")])
def test_unfreezing_lets_the_tail_learn_but_no_batch_norm(arch, learns):
    network = model.unfreeze(model.build(pretrained.Pretrained(arch, "none", None, ""), 2, seed=0), arch)
    assert f"{model.count_weights(network)[0]:,}" == learns
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(weight.requires_grad for norm in norms for weight in norm.parameters())


@pytest.mark.parametrize(
    ("arch", "head", "stage", "n"),
    [
        ("shufflenet_v2_x0_5", "fc", "conv5", 343_842),
        ("efficientnet_b0", "classifier.1", "features", 4_010_110),
        ("mobilenet_v3_small", "classifier.3", "features", 1_519_906),
    ],
)
def test_other_classifiers_of_torchvision_need_no_entry(arch, head, stage, n):
    state = torch.get_rng_state()
    found = model.architecture(arch)
    assert (found.head, found.last_stage) == (head, stage)
    assert torch.equal(state, torch.get_rng_state())
    network = model.build(pretrained.find(arch, "none"), 2, seed=0)
    assert model.count_weights(network) == (2 * network.get_submodule(head).in_features + 2, n)
    assert model.Backbone(network, arch)(torch.zeros(2, 3, 64, 64)).shape[0] == 2


@pytest.mark.parametrize(
    ("arch", "message"),
    [("squeezenet1_1", "classifier.1, is Conv2d, not a Linear"), ("fcn_resnet50", "another classifier of torchvision")],
)
def test_networks_without_a_linear_head_are_refused(arch, message):
    with pytest.raises(ValueError, match=message):
        pretrained.find(arch, "none")


# --- weights ------------------------------------------------------------------------------------


def backbone_file(path, **changes):
    state = {name: value.half() for name, value in model.skeleton("resnet18", 1000, seed=1).state_dict().items()}
    torch.save(state | changes, path)
    return path


def test_a_float16_file_is_cast_and_only_its_head_replaced(tmp_path):
    source = pretrained.find("resnet18", str(backbone_file(tmp_path / "w.pth")))
    network = model.build(source, 3, seed=0)
    assert network.fc.weight.shape == (3, 512) and network.conv1.weight.dtype == torch.float32
    assert torch.equal(network.conv1.weight, model.skeleton("resnet18", 3, seed=1).conv1.weight.half().float())


class Payload:
    def __reduce__(self):
        return (open, ("payload_ran", "w"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv1.weight": torch.zeros(1)}, "tensors are missing"),
        ([1, 2], "not a state dict"),
        ({"x": Payload()}, "damaged or holds more than tensors"),
    ],
    ids=["foreign", "list", "pickle payload"],
)
def test_files_that_are_no_weights_are_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "w.pth")
    with pytest.raises(ValueError, match=message):
        pretrained.find("resnet18", "w.pth")
    assert not (tmp_path / "payload_ran").exists()


def test_wrong_shapes_and_nan_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"conv1.weight is \(1,\), not \(64, 3, 7, 7\)"):
        pretrained.find("resnet18", str(backbone_file(tmp_path / "w.pth", **{"conv1.weight": torch.zeros(1)})))
    bad = {"bn1.weight": torch.full((64,), float("nan"))}
    with pytest.raises(ValueError, match="bn1.weight holds values that are not finite"):
        pretrained.find("resnet18", str(backbone_file(tmp_path / "w.pth", **bad)))


@pytest.mark.parametrize(
    ("arch", "weights", "error", "message"),
    [
        ("vgg", "auto", ValueError, "ARCH must be 'auto', 'resnet18', 'mobilenet_v2' or another"),
        ("resnet18", "packaged", ValueError, "for ARCH='mobilenet_v2' only"),
        ("resnet18", "nowhere.pth", FileNotFoundError, "there is no file"),
    ],
)
def test_what_cannot_be_had_by_name_is_an_error(arch, weights, error, message):
    with pytest.raises(error, match=message):
        pretrained.find(arch, weights)


@pytest.fixture
def server(tmp_path):
    """A server on loopback in the place of torchvision's; `answer` is what it gives."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, content = self.server.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def address(server, content):
    digest = hashlib.sha256(content).hexdigest()
    return f"http://127.0.0.1:{server.server_port}/w-{digest[:8]}.pth"


def test_a_download_is_stored_with_its_hash_checked(server, tmp_path):
    server.answer = (200, b"weights")
    pretrained.download(address(server, b"weights"), tmp_path / address(server, b"weights").rsplit("/", 1)[1])
    assert [path.read_bytes() for path in tmp_path.glob("w-*.pth")] == [b"weights"]


@pytest.mark.parametrize("answer", [(403, b""), (200, b"something else")], ids=["403", "wrong hash"])
def test_a_failed_download_says_what_to_do_and_leaves_nothing(server, tmp_path, answer):
    server.answer = answer
    url = address(server, b"weights")
    with pytest.raises(FileNotFoundError, match="Tried to download http(.|\n)*By hand: put that file at"):
        pretrained.download(url, tmp_path / url.rsplit("/", 1)[1])
    assert not list(tmp_path.iterdir())


def test_from_auto_only_the_embedded_network_stands_in(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no route")))
    source = pretrained.find("auto", "auto")
    assert (source.arch, source.weights) == ("mobilenet_v2", "packaged")
    assert "no route" in source.note and "not reached" in source.title
    for arch, weights in (("resnet18", "auto"), ("auto", "imagenet"), ("mobilenet_v2", "imagenet")):
        with pytest.raises(FileNotFoundError, match="no route"):
            pretrained.find(arch, weights)


# --- checkpoint ---------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path, dwarf):
    network = model.build(RANDOM, 2, seed=5)
    checkpoint.save(network, tmp_path, source=RANDOM, classes=("a", "b"), transform=dwarf, parameters={"seed": 5})
    return tmp_path, network


def test_a_checkpoint_comes_back_as_it_was(saved, dwarf):
    run_dir, network = saved
    loaded, about = checkpoint.load(run_dir, classes=("a", "b"))
    images = torch.rand(3, 3, 64, 64)
    assert torch.allclose(loaded(images), network(images), atol=1e-5)
    assert about["transform"] == dwarf and about["classes"] == ["a", "b"]
    assert not loaded.conv1.weight.requires_grad and loaded.fc.weight.requires_grad


def test_a_checkpoint_of_other_classes_or_shapes_is_refused(saved):
    run_dir, network = saved
    with pytest.raises(ValueError, match="was trained on a, b, but the photos are b, a"):
        checkpoint.load(run_dir, classes=("b", "a"))
    about = json.loads((run_dir / "model.json").read_text())
    disk.write_json(run_dir / "model.json", about | {"classes": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="does not fit resnet18 with 3 classes"):
        checkpoint.load(run_dir)
    disk.write_json(run_dir / "model.json", about | {"arch": "alexnett"})
    with pytest.raises(ValueError, match="does not describe a model of maskkit"):
        checkpoint.load(run_dir)


def test_a_truncated_checkpoint_is_refused(saved):
    run_dir, _ = saved
    whole = (run_dir / "model.safetensors").read_bytes()
    (run_dir / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        checkpoint.load(run_dir)
    (run_dir / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="run 02_train.ipynb"):
        checkpoint.load(run_dir)


def test_a_nan_checkpoint_is_refused(saved):
    run_dir, network = saved
    network.fc.bias.data[0] = float("nan")
    safetensors.torch.save_file(network.state_dict(), run_dir / "model.safetensors")
    with pytest.raises(ValueError, match="fc.bias holds values that are not finite"):
        checkpoint.load(run_dir)


def test_files_of_two_runs_are_refused_together(saved, dwarf, tmp_path):
    run_dir, network = saved
    network.fc.bias.data[0] += 1
    checkpoint.save(network, tmp_path / "other", source=RANDOM, classes=("a", "b"), transform=dwarf, parameters={})
    (tmp_path / "other" / "model.safetensors").rename(run_dir / "model.safetensors")
    with pytest.raises(ValueError, match="is not the file that model.json describes"):
        checkpoint.load(run_dir)


def test_cuda_asked_for_and_absent(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert model.device("auto").type == "cpu"
    with pytest.raises(ValueError, match="sees no CUDA device"):
        model.device("cuda")
    with pytest.raises(ValueError, match="DEVICE must be"):
        model.device("tpu")


@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2", "shufflenet_v2_x0_5"])
def test_a_network_for_inference_gives_the_same(arch):
    network = model.build(pretrained.Pretrained(arch, "none", None, ""), 3, seed=0)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    engines.set_norm_statistics(network, images)
    torch.nn.init.normal_(model.head(network, arch).weight, generator=torch.Generator().manual_seed(0))
    quick = model.for_inference(network)
    with torch.inference_mode():
        wanted, found = network(images), quick(images)
    assert wanted.std() > 0.1
    assert (wanted - found).abs().max() <= 1e-4 * wanted.abs().max()
    assert network.state_dict().keys() == model.skeleton(arch, 3, seed=0).state_dict().keys()


class Branching(nn.Module):
    """Branches on its input's values, which torch.fx cannot follow."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images):
        return self.norm(self.conv(images)) if images.sum() > 0 else images


def test_a_network_that_cannot_be_followed_stays_as_it_is():
    network, images = Branching().eval(), torch.rand(2, 3, 8, 8)
    quick = model.for_inference(network)
    assert quick is not network and isinstance(quick.norm, nn.BatchNorm2d)
    assert torch.allclose(quick(images), network(images), atol=1e-6)


def test_a_network_for_inference_has_no_batch_norm_and_its_own_weights():
    network = model.build(pretrained.Pretrained("resnet18", "none", None, ""), 2, seed=0)
    quick = model.for_inference(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in quick.modules())
    assert not any(weight.requires_grad for weight in quick.parameters())
    assert model.count_weights(network)[0] == 1026
    before = quick.get_submodule("fc").weight.clone()
    network.fc.weight.data += 1
    assert torch.equal(quick.get_submodule("fc").weight, before)
