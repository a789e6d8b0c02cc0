import pytest
import safetensors.torch

from maskkit import model
from maskkit.core import memory
from maskkit.improve import network_memory


def test_memory_of_a_fresh_process_includes_the_weights_and_not_the_imports(tmp_path):
    network = model.skeleton("mobilenet_v2", 2, seed=0)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "n.safetensors")
    peak = network_memory.peak_mib("eager", "mobilenet_v2", tmp_path / "n.safetensors", 2, 1, 64, 1)
    if peak is None:
        pytest.skip("this system does not say how much memory a process holds")
    assert 8.5 < peak < 150  # 2.2 million float32 are 8.5 MiB; torch alone would be over 150


def test_the_allocator_is_not_told_to_keep_freed_memory(tmp_path, capsys):
    network = model.skeleton("mobilenet_v2", 2, seed=0)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "n.safetensors")
    memory.keep_freed.cache_clear()
    try:
        network_memory.print_peak("eager", "mobilenet_v2", str(tmp_path / "n.safetensors"), 2, 1, 64, 1)
    except OSError:
        pytest.skip("this system does not say how much memory a process holds")
    assert float(capsys.readouterr().out) >= 0 and memory.keep_freed.cache_info().misses == 0
