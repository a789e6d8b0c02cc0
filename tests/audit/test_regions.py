import hashlib

import captum.attr
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from maskkit import data, model, pretrained
from maskkit.audit import regions
from maskkit.sources import decoding

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


def test_unknown_regions_are_named(photo):
    with pytest.raises(ValueError, match="nose"):
        regions.hide(photo, "nose", "mean")


def test_changed_photos_have_features_of_their_own():
    whole = data.Photos([], ("a", "b"), model.Transform())
    changed = [regions.HiddenPhotos(whole, region, fill) for region in regions.REGIONS for fill in regions.FILLS]
    described = {str(photos.transform.describe()) for photos in (whole, *changed, regions.Exchanged(whole, []))}
    assert len(described) == 6


def test_only_the_surroundings_are_exchanged(photo):
    donor = photo + 100
    found = regions.exchange(photo, donor)
    assert torch.equal(found[:, 32:], photo[:, 32:]) and torch.equal(found[:, 2:32, 28:36], photo[:, 2:32, 28:36])
    assert torch.equal(found[:, :8, :3], donor[:, :8, :3]) and torch.equal(found[:, 16, -3:], donor[:, 16, -3:])


def test_each_photo_has_a_donor_of_its_class_and_one_of_another():
    labels = np.array([0] * 30 + [1] * 10 + [2])
    own, other = regions.donors(labels, 0)
    assert (labels[own] == labels).all() and (labels[other] != labels).all()
    assert (own[:40] != np.arange(40)).all() and own[40] == 40
    assert np.bincount(own).max() == 1 and np.bincount(other[:30]).max() == 3  # 30 photos, 11 donors


def test_exchanged_photos_are_named_by_both_photos(tmp_path):
    rows = []
    for index, colour in enumerate(("red", "blue", "green")):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (40, 40), colour).save(path)
        rows.append({"path": path, "label": "ab"[index % 2], "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    photos = regions.KeptPhotos(rows, "ab", model.Transform())
    found = regions.Exchanged(photos, [1, 2, 0])
    whole = torch.stack([photos[index][0] for index in range(3)])
    image, label = found[0]
    assert (
        label == 0
        and torch.equal(image[:, 0, 0], whole[1, :, 0, 0])
        and torch.equal(image[:, -1, 0], whole[0, :, -1, 0])
    )
    same = regions.Exchanged(photos, [0, 1, 2])
    assert len({row["sha256"] for row in (*found.rows, *same.rows, *rows)}) == 9


def test_hidden_photos_are_the_photos_with_a_part_hidden_and_decoded_once(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    rows = [{"path": path, "label": "a", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}]
    decoded, decode = [], decoding.decode
    monkeypatch.setattr(decoding, "decode", lambda given: decoded.append(given) or decode(given))
    photos = regions.KeptPhotos(rows, "ab", model.Transform())
    for region in regions.REGIONS:
        for fill in regions.FILLS:
            hidden = regions.HiddenPhotos(photos, region, fill)
            image, label = hidden[0]
            assert label == 0 and torch.equal(image, regions.hide(photos[0][0], region, fill))
    assert decoded == [path]


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
