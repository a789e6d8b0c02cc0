import concurrent.futures
import time

import pytest
import torch
from conftest import TOLERANCE

from maskkit import data, features, model, pretrained
from maskkit.core.parallel import torch_threads
from maskkit.improve import engines
from maskkit.sources import folders

pytestmark = pytest.mark.numeric

RANDOM = pretrained.Pretrained("resnet18", "none", None, "")
CPU = torch.device("cpu")


@pytest.fixture
def dataset(curated, dwarf):
    run_dir, rows = curated
    return data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf)


@pytest.fixture
def network():
    return model.build(RANDOM, 2, seed=0)


def extract(network, dataset, cache):
    return features.extract(network, "resnet18", dataset, cache=cache, device=CPU)


def test_head_on_features_is_the_network_on_photos(network, dataset, tmp_path):
    found, computed = extract(network, dataset, tmp_path)
    images = torch.stack([dataset[index][0] for index in range(len(dataset))])
    with torch.inference_mode():
        assert torch.allclose(network.fc(found), network(images), atol=1e-5)
    assert computed == len(dataset) == 30


def test_a_second_run_computes_nothing_and_gets_the_same(network, dataset, tmp_path, monkeypatch):
    first, _ = extract(network, dataset, tmp_path)
    monkeypatch.setattr(features, "pass_images", lambda *_: pytest.fail("computed again"))
    second, computed = extract(network, dataset, tmp_path)
    assert computed == 0 and torch.equal(first, second)


def test_a_photo_s_features_are_its_own_within_the_tolerance(network, dataset, tmp_path):
    """Whatever its neighbours in the batch, and with another number of threads."""
    together, _ = extract(network, dataset, tmp_path / "a")
    assert together.std(0).max() > 100 * TOLERANCE * together.abs().max()  # photos differ by far more
    with torch_threads(2 if torch.get_num_threads() == 1 else 1):
        threads, _ = extract(network, dataset, tmp_path / "threads")
    assert (together - threads).abs().max() <= TOLERANCE * together.abs().max()
    dataset.rows = dataset.rows[-1:]
    alone, _ = extract(network, dataset, tmp_path / "b")
    assert (together[-1] - alone[0]).abs().max() <= TOLERANCE * together.abs().max()


def test_other_weights_or_another_size_never_share_features(network, dataset, tmp_path):
    extract(network, dataset, tmp_path)
    with torch.no_grad():
        network.layer4[0].bn1.running_mean[0] += 1e-6
    assert extract(network, dataset, tmp_path)[1] == 30
    dataset.transform = model.Transform(size_px=32)
    assert extract(network, dataset, tmp_path)[1] == 30


def test_another_head_shares_features(network, dataset, tmp_path):
    extract(network, dataset, tmp_path)
    torch.nn.init.ones_(network.fc.weight)
    assert extract(network, dataset, tmp_path)[1] == 0


@pytest.mark.parametrize("shard", [features.BATCH["cpu"], 512])
def test_an_interrupted_extraction_goes_on_where_it_stopped(network, dataset, tmp_path, monkeypatch, shard):
    """Also where it had not come to the end of its first shard."""
    monkeypatch.setattr(features, "SHARD", shard)
    whole, size = features.pass_images, features.BATCH["cpu"]
    first_of_second = dataset[size][0]

    def fail_second(backbone, images, device):
        if torch.equal(images[0], first_of_second):
            raise KeyboardInterrupt
        return whole(backbone, images, device)

    monkeypatch.setattr(features, "pass_images", fail_second)
    with pytest.raises(KeyboardInterrupt):
        extract(network, dataset, tmp_path)
    monkeypatch.setattr(features, "pass_images", whole)
    assert extract(network, dataset, tmp_path)[1] == 30 - size


def test_what_one_process_computes_another_waits_for(network, dataset, tmp_path, monkeypatch):
    passed, pass_images = [], features.pass_images

    def slowly(*given):
        passed.append(len(given[1]))
        time.sleep(0.1)
        return pass_images(*given)

    monkeypatch.setattr(features, "pass_images", slowly)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # a lock is a file's, so threads stand in for processes
        found = list(pool.map(lambda _: extract(network, dataset, tmp_path), range(2)))
    assert sum(passed) == 30 and sorted(n_computed for _, n_computed in found) == [0, 30]
    assert torch.equal(found[0][0], found[1][0])
    assert not list(tmp_path.glob("*/.*"))


def test_a_damaged_shard_is_named_and_computed_again(network, dataset, tmp_path):
    good, _ = extract(network, dataset, tmp_path)
    (shard,) = tmp_path.rglob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.warns(UserWarning, match=shard.name):
        again, computed = extract(network, dataset, tmp_path)
    assert computed == 30 and torch.equal(good, again)


def test_a_backbone_that_learns_is_refused(network, dataset, tmp_path):
    network.layer4[0].conv1.weight.requires_grad_(True)
    with pytest.raises(ValueError, match="cannot be cached"):
        extract(network, dataset, tmp_path)


def test_features_are_those_of_the_plain_network_photo_by_photo(network, dataset, tmp_path):
    engines.set_norm_statistics(network, torch.stack([dataset[index][0] for index in range(8)]))
    found, _ = extract(network, dataset, tmp_path)
    backbone = model.Backbone(network, "resnet18")
    with torch.inference_mode():
        plain = torch.cat([backbone(dataset[index][0][None]) for index in range(len(dataset))])
    assert plain.std() > 0.1
    assert (found - plain).abs().max() <= 1e-4 * plain.abs().max()
