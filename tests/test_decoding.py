"""Which files become which pixels, and which are refused with which reason."""

import io

import numpy as np
import pytest
from conftest import draw_photo
from PIL import Image

from maskkit import decoding


def encoded(image, format, **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


GREY = Image.fromarray(np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8))
DEEP = Image.fromarray((np.linspace(0, 65535, 64).reshape(8, 8)).astype(np.uint16))
FLOAT = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
CLEAR = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
RED = Image.new("RGB", (8, 8), (255, 0, 0))


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        (GREY, "PNG", (0, 128, 255)),
        (DEEP, "PNG", (0, 128, 255)),
        (FLOAT, "TIFF", (0, 128, 255)),
        (GREY.convert("1", dither=0), "PNG", (0, 255, 255)),
    ],
    ids=["grey", "16-bit", "float", "1-bit"],
)
def test_grey_photos_of_any_depth_keep_their_scale(tmp_path, image, format, expected):
    path = tmp_path / "photo"
    path.write_bytes(encoded(image, format))
    pixels = np.asarray(decoding.decode(path))
    assert pixels.shape == (8, 8, 3) and (pixels == pixels[..., :1]).all()
    assert np.allclose(pixels.reshape(-1, 3)[[0, 32, 63], 0], expected, atol=3)


def test_a_dark_16_bit_photo_stays_dark(tmp_path):
    Image.fromarray(np.full((8, 8), 200, np.uint16)).save(tmp_path / "dark.png")
    assert np.asarray(decoding.decode(tmp_path / "dark.png")).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path, mode):
    (tmp_path / "clear.png").write_bytes(encoded(CLEAR.convert(mode), "PNG"))
    assert np.asarray(decoding.decode(tmp_path / "clear.png")).min() == 255


def test_cmyk_red_stays_red(tmp_path):
    (tmp_path / "red.jpg").write_bytes(encoded(RED.convert("CMYK"), "JPEG"))
    red, green, blue = np.asarray(decoding.decode(tmp_path / "red.jpg"))[4, 4]
    assert red > 240 and green < 15 and blue < 15


def test_exif_turn_is_applied_and_suffix_ignored(tmp_path):
    wide = Image.new("RGB", (20, 10), "white")
    exif = Image.Exif()
    exif[274] = 6  # orientation: turn right
    (tmp_path / "turned.png").write_bytes(encoded(wide, "JPEG", exif=exif))
    assert decoding.decode(tmp_path / "turned.png").size == (10, 20)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html>not a photo</html>", "not a photo"),
        (encoded(draw_photo(0), "JPEG")[:400], "broken"),
        (encoded(draw_photo(0), "PNG")[:400], "broken"),
    ],
    ids=["empty", "html", "cut JPEG", "cut PNG"],
)
def test_broken_files_say_why(tmp_path, content, reason):
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        decoding.decode(tmp_path / "x.jpg")


def test_a_huge_photo_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="over the limit"):
        decoding.decode(tmp_path / "huge.png")
