"""Decode photos: which file formats are read, what is refused, and why."""

import contextlib
import os
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from maskkit.core import disk
from maskkit.sources import tiff
from maskkit.sources.decoding_error import DecodingError

# What `decode` reads, by Pillow's names. The place of a name is a feature of the audit, so a new one comes last.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF", "JPEG2000")
MAX_PIXELS = 50_000_000  # 50 megapixels: larger than a phone's photo, small enough for one photo's tensors
# Above it photos are decoded one at a time: one of 48 megapixels takes 200 MB until it is reduced.
LARGE_PIXELS = 12_000_000
one_large = threading.Lock()
VERSION = 2  # of the pixels: raise it where a file that was decoded before gives others, for the caches
# What the parsers raise on damaged bytes, beside ValueError: the first three often, the others once in thousands.
BROKEN = (OSError, SyntaxError, EOFError, TypeError, AttributeError, LookupError, ArithmeticError, struct.error,
          RuntimeError, MemoryError)  # fmt: skip
HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
XMP = ("XML:com.adobe.xmp", "xmp")  # where Pillow puts it

# Pillow warns of odd metadata in photos that decode well. For all threads at once: `warnings.catch_warnings` around a
# decoding would be undone by another thread's, in the wrong order.
warnings.filterwarnings("ignore", module=r"PIL\.")
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # photos are read in several threads already


def decode(path: str | Path) -> Image.Image:
    """One photo as an RGB PIL image, by its content whatever its suffix; the first frame where there are several.

    The turn in the EXIF data or in the HEIF container is applied (one that only XMP tells is not, as in browsers),
    transparency lies on white, 16-bit values are scaled to 8 bits, and a side far beyond what the network sees is
    reduced by a whole factor.

    Raises:
        DecodingError: not a photo that can be decoded.
        OSError: the file cannot be read.
    """
    need_file(path)
    with open(path, "rb") as file:
        return decode_open(file)


def decode_open(file: BinaryIO) -> Image.Image:
    """`decode` of a binary file at its start, such as an `io.BytesIO`."""
    return decode_sized(file)[0]


def decode_sized(file: BinaryIO) -> tuple[Image.Image, tuple[int, int]]:
    """`decode_open`, and the upright photo's own width and height, before any reduction."""
    with head(file) as opened:
        check_size(opened)
        if opened.format == "PNG":
            check_png(opened)
        elif opened.format == "JPEG2000":
            check_jpeg2000(opened, file)
        is_large = opened.width * opened.height > LARGE_PIXELS
        with one_large if is_large else contextlib.nullcontext():
            load(opened)
            check_size(opened)  # a HEIF container may say less than what lies inside
            return upright_rgb(opened)


def upright_rgb(opened: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """A decoded photo turned, reduced and as RGB, and its upright size before; reduced first where that is the same."""
    is_plain = opened.mode in ("L", "RGB") and not opened.has_transparency_data
    factor = reduction(opened)
    if is_plain and all(side % factor == 0 for side in opened.size):
        image = turned(opened, reduced(opened))
        return to_rgb(image), (image.width * factor, image.height * factor)
    image = turned(opened, opened)
    # in this order where it may be: a few bytes can stand for 50 megapixels
    return to_rgb(reduced(image)) if is_plain else reduced(to_rgb(image)), image.size


def check_size(image: Image.Image) -> None:
    """Raise DecodingError where an image has too many pixels."""
    if image.width * image.height > MAX_PIXELS:
        detail = f"{image.width} x {image.height}, more than {MAX_PIXELS:,}"
        raise DecodingError("the number of pixels is over the limit", detail=detail)


def reduced(image: Image.Image) -> Image.Image:
    """An image whose longer side is below twice 2,048 pixels, reduced by a whole factor where it is not."""
    factor = reduction(image)
    return Image.Image.reduce(image, factor) if factor > 1 else image  # a JPEG 2000's own `reduce` is a number


def reduction(image: Image.Image) -> int:
    """The whole factor by which an image is reduced, 1 or more."""
    return max(1, max(image.size) // 2048)


# --- kinds --------------------------------------------------------------------------------------


@contextlib.contextmanager
def head(file: BinaryIO) -> Iterator[ImageFile.ImageFile]:
    """Yield the photo of a binary file at its start, pixels not yet decoded; the image is open within the block.

    Raises:
        DecodingError: whatever the parsers raise inside the block.
    """
    start = file.read(512)
    if not start:
        raise DecodingError("the file is empty")
    kind = kind_of(start)
    if kind is None:
        raise DecodingError("not a photo of a known kind", detail=", ".join(FORMATS))
    file.seek(0)
    try:
        with open_kind(kind, file) as image:
            yield image
    except (*BROKEN, Image.DecompressionBombError) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise DecodingError("broken", detail=detail) from error


def kind_of(start: bytes) -> str | None:
    """The format, one of FORMATS, of a file that begins with these bytes; None for any other."""
    if start[4:8] == b"ftyp":
        box = start[: int.from_bytes(start[:4], "big")]
        return kind_of_brands(start[8:12], *(box[at : at + 4] for at in range(16, len(box), 4)))
    if start[:4] == b"RIFF":
        return "WEBP" if start[8:12] == b"WEBP" else None
    return next((kind for kind, starts in STARTS.items() if start.startswith(starts)), None)


STARTS: dict[str, tuple[bytes, ...]] = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": tiff.STARTS,
    "JPEG2000": (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"),
    "BMP": (b"BM",),
}


def kind_of_brands(*brands: bytes) -> str | None:
    """AVIF or HEIF, as the first brand of a container tells that belongs to one of them."""
    for brand in brands:
        if brand in (b"avif", b"avis"):
            return "AVIF"
        if brand in HEVC_BRANDS:
            return "HEIF"
    return "HEIF" if {b"mif1", b"msf1"} & set(brands) else None


def open_kind(kind: str, file: BinaryIO) -> ImageFile.ImageFile:
    """Open a photo of one of FORMATS, pixels not yet decoded; a ValueError of Pillow's parsers becomes SyntaxError."""
    try:
        return OPENERS[kind](file)
    except DecodingError:
        raise
    except ValueError as error:
        raise SyntaxError(str(error)) from error


def open_heif(file: BinaryIO) -> ImageFile.ImageFile:
    """A HEIF container's primary image; its own turns are applied, and its EXIF data then says that there is none."""
    try:
        import pillow_heif  # here: most runs meet no such photo
    except ImportError as error:
        detail = f"pip install pillow-heif ({error})"
        raise DecodingError("HEIF needs the package pillow-heif", detail=detail) from error
    pillow_heif.options.DECODE_THREADS = 1  # photos are read in several threads already
    return pillow_heif.as_plugin.HeifImageFile(file)


OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "TIFF": tiff.open,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "HEIF": open_heif,
    "JPEG2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
}


# --- pixels -------------------------------------------------------------------------------------


def load(image: Image.Image) -> None:
    """Decode an image's pixels, without its XMP data: by these Pillow would turn a TIFF."""
    for name in XMP:
        image.info.pop(name, None)
    try:
        image.load()
    except ValueError as error:  # of Pillow's parsers, about a damaged file
        raise SyntaxError(str(error)) from error


def check_png(image: ImageFile.ImageFile) -> None:
    """Raise DecodingError where Pillow takes the wrong pixels for the transparent colour (chunk tRNS) of a PNG."""
    if image.mode not in ("1", "L", "I;16", "RGB") or "transparency" not in image.info:
        return
    if image.tile[0].args not in ("L", "RGB"):
        raise DecodingError(
            "PNG with a transparent colour (tRNS) of other than 8 bits is not decoded here; save it as JPEG"
        )
    key = np.array(image.info["transparency"]) & 255  # the standard says to ignore the bits above
    image.info["transparency"] = tuple(key.tolist()) if image.mode == "RGB" else int(key)


def check_jpeg2000(image: Image.Image, file: BinaryIO) -> None:
    """Raise DecodingError for a JPEG 2000 that Pillow decodes wrong: white as black, or palettes as grey."""
    place = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(place)
    at = content.index(b"\xff\x4f\xff\x51") + 4  # the codestream's marker segment SIZ, its number of components
    n = int.from_bytes(content[at + 36 : at + 38], "big")
    bits = sorted({(value & 127) + 1 for value in content[at + 38 : at + 38 + 3 * n : 3]})
    if bits != [8] and not (n == 1 and 8 <= bits[0] <= 16):
        depths = " and ".join(map(str, bits))
        detail = f"{n} components of {depths} bits"
        raise DecodingError("JPEG 2000 of this kind is not decoded here; save it as 8-bit PNG", detail=detail)
    if b"pclr" in content[:at] and image.mode not in ("P", "PA"):
        raise DecodingError(
            "JPEG 2000 of this kind is not decoded here; save it as 8-bit PNG", detail="palette (box pclr)"
        )


def turned(opened: Image.Image, image: Image.Image) -> Image.Image:
    """An image turned as the EXIF data of its file say. Like browsers, this ignores other data, such as XMP."""
    content = opened.info.get("exif")
    if content is None and "Raw profile type exif" in opened.info:  # ImageMagick's, in PNG
        content = bytes.fromhex("".join(opened.info["Raw profile type exif"].split("\n")[3:]))
    exif = Image.Exif()
    exif.load(content or b"")
    method = TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    return image if method is None else image.transpose(method)


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as RGB: 16-bit grey scaled to 8 bits, transparency on white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(((np.asarray(image, np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    assert image.mode not in (
        "I",
        "F",
    )  # their white is not known; of our formats only TIFF has them, which `tiff` refuses
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


# --- files --------------------------------------------------------------------------------------


def need_file(path: str | Path) -> None:
    """Raise DecodingError if a path is not a regular file: reading a FIFO or a device might never end."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise DecodingError("a folder, or a link to one")
    if not stat.S_ISREG(mode):
        raise DecodingError("neither a file nor a folder")


def sha256(path: str | Path) -> str:
    need_file(path)
    return disk.sha256(path)
