"""Which files become which pixels, and which are refused with which reason."""

import concurrent.futures
import io
import itertools
import re
import struct
import threading
import time
import zlib

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from conftest import draw_photo
from odd_files import chunk, lzw, pack_bits, packed, png, tiff
from PIL import BmpImagePlugin, ExifTags, Image, ImageOps, PngImagePlugin

from maskkit.sources import decoding

pillow_heif.register_heif_opener()  # so that Pillow writes HEIC here


def encoded(image, format, **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


GREY = Image.fromarray(np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8))
DEEP = Image.fromarray((np.linspace(0, 65535, 64).reshape(8, 8)).astype(np.uint16))
CLEAR = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
RED = Image.new("RGB", (8, 8), (255, 0, 0))


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        (GREY, "PNG", (0, 128, 255)),
        (DEEP, "PNG", (0, 128, 255)),
        (GREY.convert("1", dither=0), "PNG", (0, 255, 255)),
    ],
    ids=["grey", "16-bit", "1-bit"],
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


# --- AVIF, HEIC, JPEG 2000 ----------------------------------------------------------------------

COLOURS = Image.effect_mandelbrot((40, 24), (-2, -1, 1, 1), 60).convert("RGB")
EXACT = {
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "HEIF": {"quality": -1, "chroma": 444, "matrix_coefficients": 0},
    "JPEG2000": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
}
NEW = ("AVIF", "HEIF", "JPEG2000")


def decoded(content):
    return np.asarray(decoding.decode_open(io.BytesIO(content))).astype(int)


def reason(content):
    with pytest.raises(ValueError) as caught:
        decoding.decode_open(io.BytesIO(content))
    return str(caught.value)


def far(a, b):
    """The largest difference of two photos' pixels, in grey levels."""
    return np.abs(np.asarray(a).astype(int) - np.asarray(b)).max()


@pytest.mark.parametrize("format", NEW)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_a_photo_of_a_new_kind_has_the_pixels_of_its_png(format, mode):
    image = COLOURS.convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    found = decoded(encoded(image, format, **EXACT[format]))
    assert far(found, decoded(encoded(image, "PNG"))) <= 2


@pytest.mark.parametrize("format", ["AVIF", "JPEG2000"])
def test_opencv_reads_the_same_pixels(format):
    content = encoded(COLOURS, format, **EXACT[format] | {"quality": 60})
    assert far(decoded(content), cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)) <= 2


def test_a_heic_as_phones_write_it_has_the_colours_of_its_picture():
    smooth = np.stack(np.meshgrid(np.arange(0, 240, 4), np.arange(0, 200, 5)), -1)
    smooth = Image.fromarray(np.dstack([smooth, smooth[..., :1] // 2 + 60]).astype(np.uint8))
    assert far(decoded(encoded(smooth, "HEIF", quality=95)), smooth) <= 8  # colours at half the resolution
    deep = pillow_heif.from_bytes("RGB;16", smooth.size, (np.asarray(smooth).astype("<u2") * 257).tobytes())
    stream = io.BytesIO()
    deep.save(stream, quality=95, chroma=444)
    assert far(decoded(stream.getvalue()), smooth) <= 4


def test_the_primary_image_of_a_heic_and_the_first_of_an_avif_are_the_photo():
    other = ImageOps.invert(COLOURS)
    file = pillow_heif.from_pillow(other)
    file.add_from_pillow(COLOURS)
    stream = io.BytesIO()
    file.save(stream, primary_index=1, **EXACT["HEIF"])
    assert far(decoded(stream.getvalue()), COLOURS) <= 2
    animation = encoded(COLOURS, "AVIF", save_all=True, append_images=[other], **EXACT["AVIF"])
    assert far(decoded(animation), COLOURS) <= 2


UPRIGHT = {  # what the EXIF standard says of row 0 and column 0, as numpy's own turns
    1: np.asarray,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


def turn_of(value, more=None):
    """EXIF data as bytes: so pillow-heif, as Pillow's AVIF, writes the turn into the container."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    exif.update(more or {})
    return exif.tobytes()


@pytest.mark.parametrize("format", ["AVIF", "HEIF", "JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", UPRIGHT)
def test_a_turn_is_applied_once(format, turn):
    content = encoded(COLOURS, format, exif=turn_of(turn), **EXACT[format])
    found, wanted = decoded(content), UPRIGHT[turn](np.asarray(COLOURS))
    assert found.shape == wanted.shape and far(found, wanted) <= 8


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_a_container_s_turn_stands_above_its_exif_data(format):
    """The standard of both says so. Here the container is turned to the right, and EXIF says "by half"."""
    content = encoded(COLOURS, format, exif=turn_of(6, more={275: 3}), **EXACT[format])
    short = struct.pack(">HI", 3, 1)
    if format == "AVIF":  # Pillow has taken the turn out of the EXIF data, and the next tag becomes it
        said = content.replace(struct.pack(">H", 275) + short, struct.pack(">H", 274) + short)
    else:
        entry = struct.pack(">H", 274) + short
        said = content.replace(entry + struct.pack(">H", 6), entry + struct.pack(">H", 3))
    assert said != content and b"irot" in said
    assert far(decoded(said), UPRIGHT[6](np.asarray(COLOURS))) <= 2


@pytest.mark.parametrize("format", ["AVIF", "JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turn_that_only_xmp_tells_is_not_applied_as_in_browsers(format):
    words = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    options = {"xmp": words}
    if format == "PNG":
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", words.decode())
    elif format == "TIFF":
        options = {"tiffinfo": {700: words}}
    content = encoded(COLOURS, format, **EXACT[format] | options)
    assert b"tiff:Orientation" in content
    assert decoding.decode_open(io.BytesIO(content)).size == COLOURS.size


@pytest.mark.parametrize("format", NEW)
def test_a_broken_photo_of_a_new_kind_is_named(format):
    content = encoded(draw_photo(0), format)
    assert reason(content[: len(content) // 2]).startswith("broken")
    assert reason(content[:60]).startswith("broken")


@pytest.mark.parametrize("format", NEW)
def test_a_huge_photo_of_a_new_kind_is_refused_before_it_is_decoded(format, monkeypatch):
    content = encoded(Image.new("L", (600, 500)), format)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 250_000)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert "over the limit (600 x 500" in reason(content)


@pytest.mark.parametrize("format", NEW)
def test_sixteen_threads_read_what_one_reads(format):
    contents = [encoded(draw_photo(seed), format) for seed in range(48)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(decoded, contents))
    assert all(np.array_equal(a, decoded(content)) for a, content in zip(found, contents, strict=True))


@pytest.mark.parametrize(("n", "bits"), [(3, 16), (3, 12), (1, 4)])
def test_a_jpeg_2000_that_pillow_gets_wrong_is_refused(n, bits):
    """Of more than 8 bits in several components Pillow makes white black; fewer than 8 it leaves dark."""
    content = encoded(COLOURS if n == 3 else GREY, "JPEG2000")
    at = content.index(b"\xff\x51") + 2 + 38
    depths = bytearray(content)
    depths[at : at + 3 * n : 3] = bytes([bits - 1]) * n
    assert f"save it as 8-bit PNG ({n} components of {bits} bits)" in reason(bytes(depths))


def test_a_deep_grey_jpeg_2000_keeps_its_scale():
    found = decoded(encoded(DEEP, "JPEG2000"))
    assert far(found[..., 0], np.asarray(DEEP) / 257) <= 1


@pytest.mark.parametrize("brand", [b"mp42", b"qt  "])
def test_a_video_is_no_photo(brand):
    assert reason(b"\0\0\0\x18ftyp" + brand + bytes(100)).startswith("not a photo of a known kind")


# --- JPEG without its end -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}], ids=str)
def test_a_jpeg_without_its_end_is_refused(options):
    """Whatever is cut: Pillow cannot tell whether only the marker EOI is missing or the last pixels too."""
    content = encoded(draw_photo(3), "JPEG", **options)
    for end in (len(content) - 2, len(content) - 12, len(content) // 2):
        assert "truncated" in reason(content[:end]), end


# --- TIFF ---------------------------------------------------------------------------------------

Y, X = np.mgrid[:12, :20]
RAMP = X / 19 * 0.7 + Y / 11 * 0.3  # 0..1
RAINBOW = np.stack([RAMP, 1 - X / 19, Y / 11], -1)
ALPHA = (Y / 11)[..., np.newaxis]
WHITE = 1.0
INKS = np.dstack([1 - RAINBOW, np.zeros_like(RAMP)])  # CMYK


def on_white(colours):
    return colours * ALPHA + WHITE * (1 - ALPHA)


def integers(values, bits):
    return np.rint(values * (2**bits - 1)).astype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)


def tiff_of(values, **options):
    stream = io.BytesIO()
    values = np.moveaxis(values, 2, 0) if options.get("planarconfig") == "separate" else values
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def grey_of(values):
    return np.repeat(np.rint(255 * values)[..., np.newaxis], 3, axis=2)


def cells():
    """(name, content, wanted pixels) of TIFFs: depth, sample format, photometric interpretation, planes, byte order."""
    for order, packing in itertools.product("<>", (None, "zlib", "lzma")):
        how = {"byteorder": order, "compression": packing}
        for bits in (8, 16, 32):
            name = f"{bits} bits {order} {packing}"
            white = grey_of(1 - RAMP)
            yield f"grey {name}", tiff_of(integers(RAMP, bits), photometric="minisblack", **how), grey_of(RAMP)
            yield f"white is 0 {name}", tiff_of(integers(RAMP, bits), photometric="miniswhite", **how), white
            for planes in ("contig", "separate"):
                own = how | {"planarconfig": planes}
                rgb = tiff_of(integers(RAINBOW, bits), photometric="rgb", **own)
                yield f"RGB {name} {planes}", rgb, 255 * RAINBOW
        for bits, planes in itertools.product((8, 16), ("contig", "separate")):
            own = how | {"planarconfig": planes}
            name = f"{bits} bits {order} {packing} {planes}"
            for kind, colours, wanted in (
                (2, RAINBOW, on_white(RAINBOW)),
                (1, RAINBOW * ALPHA, on_white(RAINBOW)),
                (0, RAINBOW, RAINBOW),
            ):
                more, values = own | {"extrasamples": (kind,)}, integers(np.dstack([colours, ALPHA]), bits)
                yield f"RGB, extra {kind} {name}", tiff_of(values, photometric="rgb", **more), 255 * wanted
                content = tiff_of(values[..., [0, 3]], photometric="minisblack", **more)
                yield f"grey, extra {kind} {name}", content, 255 * np.repeat(wanted[..., :1], 3, axis=2)
            yield f"CMYK {name}", tiff_of(integers(INKS, bits), photometric="separated", **own), 255 * RAINBOW
            for more in ({"tile": (16, 16)}, {"rowsperstrip": 5}, {"predictor": bool(packing)}):
                rgb = tiff_of(integers(RAINBOW, bits), photometric="rgb", **own, **more)
                yield f"RGB {more} {name}", rgb, 255 * RAINBOW
        for kind in (np.float16, np.float32, np.float64):
            name = f"{np.dtype(kind)} {order} {packing}"
            yield f"grey {name}", tiff_of(RAMP.astype(kind), photometric="minisblack", **how), grey_of(RAMP)
            yield f"RGB {name}", tiff_of(RAINBOW.astype(kind), photometric="rgb", **how), 255 * RAINBOW
        for bits in (8, 16):
            table = np.random.default_rng(0).integers(0, 65536, (3, 1 << bits)).astype(np.uint16)
            places = integers(RAMP, bits)
            content = tiff_of(places, photometric="palette", colormap=table, **how)
            yield f"palette {bits} bits {order} {packing}", content, (table >> 8).T[places]
    for bits in range(1, 17):
        for photometric, order in itertools.product((0, 1), "<>"):
            values = integers(RAMP, bits)
            data = packed(values, bits) if bits < 16 else values.astype(f"{order}u2").tobytes()
            wanted = values / (2**bits - 1)
            wanted = grey_of(wanted if photometric else 1 - wanted)
            tags = {256: 20, 257: 12, 258: bits, 262: photometric, 278: 12}
            yield f"{bits} bits, interpretation {photometric} {order}", tiff([data], tags | {259: 1}, order), wanted
            name = f"{bits} bits, interpretation {photometric} {order}"
            mirrored = data.translate(bytes(int(f"{value:08b}"[::-1], 2) for value in range(256)))
            yield f"low bits first {name}", tiff([mirrored], tags | {266: 2}, order), wanted
            yield f"LZW {name}", tiff([lzw(data)], tags | {259: 5}, order), wanted
            yield f"PackBits {name}", tiff([pack_bits(data)], tags | {259: 32773}, order), wanted
    for turn in UPRIGHT:
        for bits in (8, 16):
            planes = [integers(RAINBOW[..., i], bits).tobytes() for i in range(3)]
            tags = {256: 20, 257: 12, 258: (bits,) * 3, 262: 2, 274: turn, 277: 3, 278: 12, 284: 2}
            yield f"planes of {bits} bits, turn {turn}", tiff(planes, tags), UPRIGHT[turn](255 * RAINBOW)
    table = tuple(range(0, 256, 17)) * 3
    tags = {256: 20, 257: 12, 258: 4, 262: 3, 278: 12, 320: table}
    yield "palette of 8-bit colours", tiff([packed(integers(RAMP, 4), 4)], tags), grey_of(integers(RAMP, 4) / 15)
    values = np.asarray(COLOURS.convert("YCbCr"))
    tags = {256: 40, 257: 24, 258: (8, 8, 8), 262: 6, 277: 3, 278: 24, 530: (1, 1)}
    yield "YCbCr", tiff([values.tobytes()], tags), np.asarray(COLOURS)
    differences = integers(RAMP, 8)[..., np.newaxis].astype("<f4") / np.float32(255)
    bytes_apart = np.moveaxis(differences.astype(">f4").view(np.uint8).reshape(12, 20, 4), 2, 1).reshape(12, 80)
    coded = np.diff(bytes_apart, axis=1, prepend=np.uint8(0)).astype(np.uint8)
    tags = {256: 20, 257: 12, 258: 32, 259: 8, 262: 1, 278: 12, 317: 3, 339: 3}
    for order in "<>":
        yield f"floats, predictor 3 {order}", tiff([zlib.compress(coded.tobytes())], tags, order), grey_of(RAMP)


READ = re.compile(  # what has to be read; anything else is read right or refused
    r"(grey|white is 0|RGB|palette|CMYK) 8 bits . \w+( contig)?$|(grey|RGB) 16 bits . \w+( contig)?$"
    r"|RGB {.*} (8|16) bits . \w+ contig|RGB, extra [02] (8|16) bits .* contig|RGB, extra 1 8 bits .* contig"
    r"|grey, extra 2 8 bits . \w+ contig|((LZW|PackBits) )?([1248] bits, interp|16 bits, interpretation 1)"
)


@pytest.mark.parametrize(("name", "content", "wanted"), [pytest.param(*cell, id=cell[0]) for cell in cells()])
def test_a_tiff_of_any_layout_has_the_pixels_it_was_written_with_or_is_refused(name, content, wanted):
    if not READ.match(name):
        assert "is not decoded here; save it as 8-bit TIFF or PNG" in reason(content)
        return
    found = decoded(content)
    assert found.shape == wanted.shape and far(found, wanted) <= 2
    other = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if other is not None and not re.search("extra [12]", name):  # OpenCV leaves alpha out
        assert far(found, other) <= 2


@pytest.mark.parametrize("compression", ["jpeg", "group3", "group4", "zstd"])
def test_a_compressed_tiff_has_the_pixels_of_its_png(compression):
    image = GREY.convert("1") if compression.startswith("group") else COLOURS
    found = decoded(
        encoded(image, "TIFF", compression=compression, **({"quality": 100} if compression == "jpeg" else {}))
    )
    assert far(found, decoded(encoded(image, "PNG"))) <= (12 if compression == "jpeg" else 0)


BASE = {256: 20, 257: 12, 258: 8, 262: 1, 278: 12}
THREE = BASE | {258: (8, 8, 8), 262: 2, 277: 3}
REFUSED = {
    "BitsPerSample 64": BASE | {258: 64},
    "BitsPerSample 24": BASE | {258: 24},
    "BitsPerSample 8 8 16": THREE | {258: (8, 8, 16)},
    "BitsPerSample 12": THREE | {258: (12,) * 3, 262: 6},
    "SampleFormat 2": BASE | {339: 2},
    "SampleFormat 4": BASE | {339: 4},
    "SampleFormat 6": BASE | {258: 64, 339: 6},
    "SampleFormat 1 1 3": THREE | {339: (1, 1, 3)},
    "PhotometricInterpretation 0": BASE | {258: 32, 262: 0, 339: 3},
    "PhotometricInterpretation 4": BASE | {258: 1, 262: 4},
    "PhotometricInterpretation 8": THREE | {262: 8},
    "PhotometricInterpretation 32803": BASE | {262: 32803},
    "PhotometricInterpretation 34892": THREE | {262: 34892},
    "PNG (BitsPerSample 8)": {number: value for number, value in BASE.items() if number != 262},
    "PlanarConfiguration 3": THREE | {284: 3},
    "PlanarConfiguration 2": THREE | {259: 7, 284: 2},
    "Compression 34712": THREE | {259: 34712},
    "Compression 50001": THREE | {259: 50001},
    "Predictor 4": BASE | {259: 8, 317: 4},
    "Predictor 2": BASE | {258: 12, 259: 8, 317: 2},
    "Predictor 3": BASE | {259: 8, 317: 3},
    "SamplesPerPixel 2": THREE | {258: (8, 8), 277: 2},
    "SamplesPerPixel 2)": BASE | {258: (8, 8), 277: 2},
    "ExtraSamples 7": THREE | {258: (8,) * 4, 277: 4, 338: 7},
    "InkSet 2": THREE | {258: (8,) * 4, 262: 5, 277: 4, 332: 2},
    "FillOrder 3": BASE | {266: 3},
    "PhotometricInterpretation 3": BASE | {262: 3},
    "PhotometricInterpretation 3, BitsPerSample 8": BASE | {262: 3, 320: (0,) * 6},
    "PhotometricInterpretation 6": THREE | {262: 6, 530: (2, 2)},
    "PhotometricInterpretation 6, BitsPerSample 8 8 8": THREE | {259: 7, 262: 6, 529: (1, 0, 0)},
    "PhotometricInterpretation 6, BitsPerSample 8 8 8, SamplesPerPixel 3": THREE | {259: 7, 262: 6, 532: (0, 255)},
}


@pytest.mark.parametrize("tag", REFUSED)
def test_a_tiff_that_is_not_read_is_refused_with_its_tags(tag):
    said = reason(tiff([bytes(10_000)], REFUSED[tag]))
    assert said.startswith("TIFF of this kind") and tag in said and "save it as 8-bit TIFF or PNG" in said


def test_a_big_tiff_of_the_other_byte_order_is_refused_by_name():
    other = tiff_of(integers(RAMP, 8), photometric="minisblack", bigtiff=True, byteorder=">")
    assert "BigTIFF in byte order MM" in reason(other)
    usual = tiff_of(integers(RAMP, 8), photometric="minisblack", bigtiff=True, byteorder="<")
    assert far(decoded(usual), grey_of(RAMP)) <= 1


@pytest.mark.parametrize("tags", [{}, {258: 16}, {259: 8}, {259: 5}], ids=str)
def test_a_tiff_that_ends_early_is_broken(tags):
    data = bytes(100)
    packing = {8: zlib.compress, 5: lzw}.get(tags.get(259), bytes)
    assert reason(tiff([packing(data)], BASE | tags)).startswith("broken")


# --- PNG ----------------------------------------------------------------------------------------

KINDS = [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2)]  # (bits, colour type): grey, RGB


@pytest.mark.parametrize(("bits", "colour"), KINDS)
@pytest.mark.parametrize("high", [0, 1], ids=["", "bits above the depth"])
def test_the_transparent_colour_of_a_png_is_white_or_the_png_is_refused(bits, colour, high):
    channels = 3 if colour == 2 else 1
    values = np.random.default_rng(0).integers(0, 2**bits, (6, 9, channels))
    values[2:4] = values[0, 0]
    values[4, 0] = values[0, 0]
    values[4, 0, -1] ^= 1  # another colour, if by its lowest bit only
    key = [value | high << 15 if 1 < bits < 16 else value for value in values[0, 0].tolist()]
    content = png(values, bits, colour, chunk(b"tRNS", struct.pack(f">{channels}H", *key)))
    if bits != 8:
        assert "PNG with a transparent colour (tRNS) of other than 8 bits" in reason(content)
        return
    wanted = np.where((values == values[0, 0]).all(-1, keepdims=True), 255, np.rint(values * (255 / (2**bits - 1))))
    assert far(decoded(content), np.broadcast_to(wanted, (6, 9, 3))) <= 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_colours_of_a_palette_are_white_as_far_as_they_are_transparent(bits):
    chance = np.random.default_rng(1)
    places, table = chance.integers(0, 2**bits, (6, 9, 1)), chance.integers(0, 256, (2**bits, 3))
    alpha = chance.integers(0, 256, 2**bits)
    content = png(places, bits, 3, chunk(b"PLTE", bytes(table.ravel().tolist())), chunk(b"tRNS", bytes(alpha.tolist())))
    part = alpha[places] / 255
    assert far(decoded(content), table[places[..., 0]] * part + 255 * (1 - part)) <= 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("colour", [4, 6], ids=["grey", "RGB"])
def test_a_png_with_alpha_lies_on_white(bits, colour):
    values = np.random.default_rng(2).integers(0, 2**bits, (6, 9, 2 if colour == 4 else 4))
    part = values[..., -1:] / (2**bits - 1)
    wanted = values[..., :-1] / (2**bits - 1) * 255 * part + 255 * (1 - part)
    assert far(decoded(png(values, bits, colour)), np.broadcast_to(wanted, (6, 9, 3))) <= 2


# --- large photos -------------------------------------------------------------------------------


@pytest.fixture
def held(monkeypatch):
    """The most pixels of BMP files that lay decoded in memory at once, each from its decoding's start to its end."""
    counted = {"now": 0, "most": 0}
    guard = threading.Lock()

    def add(pixels):
        with guard:
            counted["now"] += pixels
            counted["most"] = max(counted.values())

    class Counted(BmpImagePlugin.BmpImageFile):
        def load(self):
            if "counted" not in self.info:  # Pillow calls this before everything that it does with an image
                self.info["counted"] = True
                add(self.width * self.height)
                time.sleep(0.05)  # so that other threads would come in between
            return super().load()

    monkeypatch.setitem(decoding.OPENERS, "BMP", Counted)
    upright = decoding.upright_rgb

    def release(opened):
        answer = upright(opened)
        add(-opened.width * opened.height)
        return answer

    monkeypatch.setattr(decoding, "upright_rgb", release)
    return counted


@pytest.mark.parametrize(("limit", "at_once"), [(1000, 1), (10_000, 4)])
def test_large_photos_are_decoded_one_at_a_time(held, monkeypatch, limit, at_once):
    monkeypatch.setattr(decoding, "LARGE_PIXELS", limit)
    photo = encoded(Image.new("RGB", (100, 100)), "BMP")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        read = [*pool.map(lambda _: decoding.decode_sized(io.BytesIO(photo)), range(8))]
    assert held["most"] == at_once * 100 * 100 and [size for _, size in read] == [(100, 100)] * 8


def test_a_large_photo_is_turned_after_it_is_reduced_which_gives_the_same_pixels(monkeypatch):
    chance = np.random.default_rng(0)
    sizes, transpose = [], Image.Image.transpose
    monkeypatch.setattr(
        Image.Image, "transpose", lambda image, turn: sizes.append(image.size) or transpose(image, turn)
    )
    for size in ((4200, 10), (4201, 9)):  # the first has sides of which a half is a whole number
        photo = Image.fromarray(chance.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        image, upright = decoding.decode_sized(io.BytesIO(encoded(photo, "PNG", exif=exif)))
        expected = transpose(photo, Image.Transpose.ROTATE_270).reduce(2)
        assert upright == size[::-1] and np.array_equal(np.asarray(image), np.asarray(expected))
    assert sizes == [(2100, 5), (4201, 9)]
