"""Engines: the outputs of torch for any batch size, or a reason why they are not available."""

import pytest
import torch

from maskkit import model, pretrained
from maskkit.improve import engines

CPU = torch.device("cpu")


def network_of(arch, images):
    """A network with random weights, its batch-norm statistics computed."""
    network = model.build(pretrained.Pretrained(arch, "none", None, ""), 2, seed=0)
    engines.set_norm_statistics(network, images[max(images)])
    return network


def test_random_weights_give_outputs_worth_comparing():
    images = {n: torch.randn(n, 3, 64, 64) for n in (1, 8)}
    network = network_of("mobilenet_v2", images)
    with torch.inference_mode():
        assert model.Backbone(network, "mobilenet_v2")(images[8]).abs().max() > 0.1  # 1e-11 without the statistics
    assert not network.training and not any(module.training for module in network.modules())


@pytest.mark.parametrize(("arch", "published"), [("resnet18", 1.81), ("mobilenet_v2", 0.30)])
def test_multiply_adds_are_the_published_ones(arch, published):
    # https://docs.pytorch.org/vision/stable/models.html: GFLOPS, which counts a multiply-add once
    network = model.skeleton(arch, 1000, seed=0).eval()
    counted = engines.count_multiply_adds(network, torch.zeros(1, 3, 224, 224)) / 1e9
    assert counted == pytest.approx(published, abs=0.005)


def test_outputs_that_differ_are_refused():
    images = {n: torch.randn(n, 3, 64, 64) for n in (1, 3)}
    network = network_of("shufflenet_v2_x0_5", images)
    engines.check_outputs(network, network, images, engines.TOLERANCE)
    with pytest.raises(RuntimeError, match="outputs differ from eager's by"):
        engines.check_outputs(lambda few: 1.01 * network(few) + 0.01, network, images, engines.TOLERANCE)


def test_onnx_runtime_passes_any_batch_with_eagers_outputs(tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    images = {n: torch.randn(n, 3, 64, 64) for n in (1, 3)}
    network = network_of("shufflenet_v2_x0_5", images)
    run = engines.make_engine("onnxruntime", network, images, tmp_path / "n.onnx", 1, CPU)
    assert run(torch.randn(5, 3, 64, 64)).shape == (5, 2)
