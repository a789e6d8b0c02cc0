import csv
import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from conftest import draw_photo, same_answers

from maskkit import __version__, checkpoint, model
from maskkit.cli import main
from maskkit.deploy import classifier, export
from maskkit.improve import engines

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The exported file, and the largest difference it was accepted with."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    return path, export.export(trained, path)


@pytest.fixture
def command(capfd):
    def run(*arguments):
        code = main.main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_one_file_that_says_what_it_is(trained, exported):
    path, difference = exported
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"] and 0 < difference <= export.MAX_DIFFERENCE
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    description = json.loads((trained / "model.json").read_text())
    assert json.loads(said["classes"]) == description["classes"]
    assert json.loads(said["transform"]) == description["transform"]
    assert said["model_sha256"] == description["model_sha256"] and said["maskkit_version"] == __version__
    assert said["opset"] == str(engines.OPSET) == str(proto.opset_import[0].version)


SIZES = [(1, 1), (1, 90), (64, 64), (63, 65), (50, 64), (64, 50), (333, 17), (17, 333), (640, 480), (1200, 900)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_probabilities_are_those_of_torch(trained, exported, height, width):
    network, description = checkpoint.load(trained)
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    with torch.inference_mode():
        wanted = network(description["transform"](image)[None]).softmax(1)[0].numpy()
    exported_model = classifier.from_onnx(exported[0])
    assert exported_model.classes == ("with_mask", "without_mask")
    assert exported_model.classify([image])[0] == pytest.approx(wanted, abs=1e-4)


ALONE = """
import json, sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
image = np.arange(30 * 50 * 3, dtype=np.uint8).reshape(1, 30, 50, 3)
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
both, = session.run(None, {"images": np.concatenate([image, 255 - image])})
one, = session.run(None, {"images": image})
assert both.shape == (2, len(classes)) and np.allclose(both.sum(1), 1, atol=1e-6)
assert np.allclose(one, both[:1], atol=1e-6)
print("torch" in sys.modules, "maskkit" in sys.modules)
"""


def test_onnxruntime_alone_is_enough_for_one_photo_and_for_a_batch(exported):
    done = subprocess.run([sys.executable, "-c", ALONE, exported[0]], capture_output=True, text=True)
    assert done.stdout == "False False\n", done.stderr


def test_predict_takes_the_file_and_needs_no_torch(trained, exported, tmp_path, command):
    (tmp_path / "photos").mkdir()
    for seed in range(5):
        draw_photo(seed, size_px=30 + 40 * seed, bright=seed % 2).save(tmp_path / "photos" / f"{seed}.png")
    (tmp_path / "photos" / "bad.png").touch()
    code, ours, _ = command("predict", tmp_path / "photos", "--model", trained)
    assert code == 0
    call = "import sys; from maskkit.cli.main import main; code = main(sys.argv[1:]); assert 'torch' not in sys.modules"
    arguments = ["predict", tmp_path / "photos", "--onnx", exported[0]]
    done = subprocess.run([sys.executable, "-c", call, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert same_answers(*(list(csv.DictReader(table.splitlines())) for table in (ours, done.stdout)))


@pytest.fixture
def small(monkeypatch):
    """`model.load` gives a network that is none of ours, small enough to be exported in a second or two."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [torch.nn.Conv2d(3, 8, 5, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)]
        network = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(8, 2)).eval()
    description = {"arch": "small", "classes": ["a", "b"], "transform": model.Transform(size_px=48)}
    monkeypatch.setattr(export.checkpoint, "load", lambda run_dir: (network, description))
    return network


class TwoViews(torch.nn.Module):
    """A network that looks at a photo and at its mirror image, as a later recipe might."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return (self.network(images) + self.network(images.flip(-1))) / 2


def test_a_network_of_two_views_is_exported_too(small, tmp_path, monkeypatch):
    _, description = export.checkpoint.load("any")
    monkeypatch.setattr(export.checkpoint, "load", lambda run_dir: (TwoViews(small), description))
    assert export.export("any", tmp_path / "m.onnx") <= export.MAX_DIFFERENCE
    assert classifier.from_onnx(tmp_path / "m.onnx").classes == ("a", "b")


def test_a_file_that_differs_from_torch_is_not_written(trained, small, tmp_path, monkeypatch, command):
    (tmp_path / "m.onnx").write_text("earlier")
    wrong = model.Transform(size_px=48, mean=(0.2, 0.2, 0.2))
    real = export.to_onnx
    monkeypatch.setattr(export, "to_onnx", lambda network, transform: real(network, wrong))
    code, said, told = command("export", "--model", trained, "--onnx", tmp_path / "m.onnx")
    assert code == 2 and "m.onnx is not written: it differs from torch by" in told and not said
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("m.onnx", "earlier")]


def test_the_command_says_how_exact_it_is(trained, small, tmp_path, command, monkeypatch):
    monkeypatch.setattr(export, "compare", lambda *_: 3.21e-6)
    code, said, _ = command("export", "--model", trained, "--onnx", tmp_path / "new" / "m.onnx")
    assert code == 0 and "largest difference from torch over 14 photos of different sizes: 3.2e-06" in said
    assert "MB, opset 18)" in said and (tmp_path / "new" / "m.onnx").is_file()


def test_foreign_and_missing_files_are_one_clear_message(command, tmp_path):
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "ab"]
    graph = onnx.helper.make_graph([node], "theirs", values[:1], values[1:])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10),
        tmp_path / "theirs.onnx",
    )
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "empty.onnx").touch()
    draw_photo(0).save(tmp_path / "x.png")
    for name, message in {
        "none.onnx": "there is no file",
        "text.onnx": "no model that onnxruntime can read",
        "empty.onnx": "no model that onnxruntime can read",
        "theirs.onnx": "was not written by `maskkit export`",
    }.items():
        code, said, told = command("predict", tmp_path / "x.png", "--onnx", tmp_path / name)
        assert code == 2 and not said and message in told and told.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(trained, tmp_path, command, monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None if name == "onnxscript" else True)
    code, _, told = command("export", "--model", trained, "--onnx", tmp_path / "m.onnx")
    assert code == 2 and told == "maskkit: ONNX needs onnxscript: pip install -e '.[onnx]'\n"
