"""Damaged photos by the thousand: none ends the program, hangs it or fills the memory."""

import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.fuzzed import Reader, encodings, mutate

N = 10_000 if os.environ.get("FAULTS") == "long" else 300
N_RAW = N // 10  # of these files that hold nothing of a photo but, perhaps, its first bytes
MEMORY = 300  # MiB above the imports
STARTS = (b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"RIFF\0\0\0\0WEBP",
          b"\0\0\0\x18ftypavif\0\0\0\0mif1", b"\0\0\0\x18ftypheic\0\0\0\0mif1", b"\xff\x4f\xff\x51",
          b"\0\0\0\x0cjP  \r\n\x87\n")  # fmt: skip

pytestmark = [
    pytest.mark.fault("scale", "fuzzed files"),
    pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does"),
]
quiet = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Bytes to the answer for them; at the end the memory is judged."""
    path, reader = tmp_path_factory.mktemp("fuzz") / "x.jpg", Reader()

    def call(content):
        path.write_bytes(content)
        answer = reader.read(path)
        assert (answer["prepare"] is None) == (answer["audit"] is None) == (answer["predict"] is None), answer
        assert answer["memory"] <= MEMORY, answer
        return answer

    yield call
    reader.close()


CONTENTS = encodings()


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_each_encoding_is_a_photo_before_it_is_damaged(read, content):
    assert read(content)["prepare"] is None


@settings(max_examples=N - N_RAW, **quiet)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 4))
def test_no_damaged_photo_ends_hangs_or_fills_it(read, seed, n):
    read(mutate(CONTENTS, seed, n))


@settings(max_examples=N_RAW, **quiet)
@given(start=st.sampled_from(STARTS), content=st.binary(max_size=400))
def test_no_bytes_end_hang_or_fill_it(read, start, content):
    read(start + content)
