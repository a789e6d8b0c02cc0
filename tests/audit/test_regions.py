import captum.attr
import numpy as np
import pytest
import torch
from torch import nn

from maskkit import model, pretrained
from maskkit.audit import regions

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")


@pytest.fixture
def photo():
    return torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("fill", regions.FILLS)
def test_only_the_region_changes(photo, fill):
    lower = regions.hide(photo, "lower_half", fill)
    assert torch.equal(lower[:, :32], photo[:, :32]) and not torch.allclose(lower[:, 32:], photo[:, 32:])
    upper = regions.hide(photo, "upper_half", fill)
    assert torch.equal(upper[:, 32:], photo[:, 32:]) and upper[:, :32].std() < 0.3 * photo.std()
    background = regions.hide(photo, "background", fill)
    assert torch.equal(background[:, 20:44, 20:44], photo[:, 20:44, 20:44])
    assert not torch.equal(background[:, 0, 0], photo[:, 0, 0])


def test_unknown_regions_are_named(photo):
    with pytest.raises(ValueError, match="nose"):
        regions.hide(photo, "nose", "mean")


def test_hidden_photos_have_features_of_their_own():
    whole = model.Transform()
    said = [str(regions.Hidden(whole, region, fill).describe()) for region in regions.REGIONS for fill in regions.FILLS]
    assert len({*said, str(whole.describe())}) == 7


class Corner(nn.Module):
    """Says class 1 by how bright the top left eighth is, and nothing else."""

    def forward(self, images):
        bright = images[:, :, :8, :8].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(bright), 4 * bright], 1)


def test_occlusion_shows_what_mattered():
    image = -torch.ones(1, 3, 56, 56)
    image[:, :, :8, :8] = 1
    (found,) = regions.occlusion(Corner(), image, [1], CPU)
    assert found.shape == (7, 7) and found.argmax() == 0
    assert found[4:, 4:].max() == pytest.approx(0, abs=1e-6) and found[0, 0] > 0.3


@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2"])
def test_grad_cam_is_captum_s(arch):
    network = model.build(pretrained.Pretrained(arch, "none", None, ""), 2, seed=0)
    images = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    classes = [0, 1, 1]
    found = regions.grad_cam(network, arch, images, classes, CPU)
    layer = network.get_submodule(model.ARCHITECTURES[arch].last_stage)
    theirs = captum.attr.LayerGradCam(network.requires_grad_(True), layer)
    expected = theirs.attribute(images, torch.tensor(classes), relu_attributions=True)
    assert found.shape == (3, 3, 3) and found.max() > 0
    assert np.allclose(found, expected[:, 0].detach().numpy(), atol=1e-5)


def test_grad_cam_leaves_the_network_frozen():
    network = model.build(pretrained.Pretrained("resnet18", "none", None, ""), 2, seed=0)
    regions.grad_cam(network, "resnet18", torch.zeros(1, 3, 64, 64), [0], CPU)
    assert [name for name, weight in network.named_parameters() if weight.requires_grad] == ["fc.weight", "fc.bias"]
    assert not network.layer4._forward_hooks and network.fc.weight.grad is None
