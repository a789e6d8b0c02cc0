"""The on-disk cache: what is computed once."""

import threading

import numpy as np
import pytest

from maskkit.core.cache import cached


def test_a_second_who_wants_the_same_waits_and_computes_nothing(tmp_path):
    begun, go_on, computed, results = threading.Event(), threading.Event(), [], []

    def compute():
        computed.append(1)
        begun.set()
        go_on.wait(20)
        return {"x": np.arange(3)}

    def ask():
        results.append(cached("numbers", ["a"], compute, cache=tmp_path)["x"].tolist())

    first, second = threading.Thread(target=ask), threading.Thread(target=ask)
    first.start()
    assert begun.wait(20)
    second.start()
    second.join(0.3)
    assert second.is_alive()
    go_on.set()
    first.join()
    second.join()
    assert results == [[0, 1, 2]] * 2 and len(computed) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_a_damaged_file_is_named_and_computed_again(tmp_path):
    cached("numbers", ["a"], lambda: {"x": np.zeros(1)}, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=f"{path} is damaged"):
        assert cached("numbers", ["a"], lambda: {"x": np.ones(1)}, cache=tmp_path)["x"].tolist() == [1]
    assert cached("numbers", ["a"], lambda: {"x": np.zeros(1)}, cache=tmp_path)["x"].tolist() == [1]


def test_a_result_that_could_not_be_computed_holds_nobody_up(tmp_path):
    with pytest.raises(ZeroDivisionError):
        cached("numbers", ["a"], lambda: {"x": np.array(1 / 0)}, cache=tmp_path)
    assert cached("numbers", ["a"], lambda: {"x": np.ones(1)}, cache=tmp_path)["x"].tolist() == [1]
