"""A photo's file as pixels: which kinds are read, what is refused and why."""

import contextlib
import hashlib
import os
import stat
import struct
import warnings

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # what `decode` lets Pillow try
MAX_PIXELS = 50_000_000  # 50 megapixels: larger than a phone's photo, small enough for one photo's tensors
# What Pillow's parsers raise on damaged bytes, beside ValueError: the first three often, the others once in thousands.
BROKEN = (OSError, SyntaxError, EOFError, TypeError, AttributeError, LookupError, ArithmeticError, struct.error)

# Pillow warns of odd metadata in photos that decode well. For all threads at once: `warnings.catch_warnings` around a
# decoding would be undone by another thread's, in the wrong order.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(path):
    """One photo as an RGB PIL image, by its content whatever its suffix; the first frame where there are several.

    The EXIF turn is applied, transparency lies on white, 16-bit and float values are scaled to 8 bits, and a
    side far beyond what the network sees is reduced by a whole factor.

    Raises:
        ValueError: not a photo that can be decoded; the reason is the message.
        OSError: the file cannot be read.
    """
    need_file(path)
    with open(path, "rb") as file:
        return decode_open(file)


def decode_open(file):
    """`decode` of a binary file at its start, such as an `io.BytesIO`."""
    with head(file) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are over the limit of {MAX_PIXELS:,}")
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode in ("L", "RGB", "I", "F") and not image.has_transparency_data:
            return to_rgb(reduced(image))  # in this order where it may be: a few bytes can stand for 50 megapixels
        return reduced(to_rgb(image))


def reduced(image):
    """An image whose longer side is below twice 2,048 pixels, reduced by a whole factor where it is not."""
    factor = max(image.size) // 2048
    return image.reduce(factor) if factor > 1 else image


@contextlib.contextmanager
def head(file):
    """A photo of a binary file at its start, pixels not yet decoded; for use of the image within the block.

    Raises:
        ValueError: as `decode`, whatever Pillow raises inside the block.
    """
    if not file.read(1):
        raise ValueError("the file is empty")
    file.seek(0)
    try:
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"not a photo of a known kind ({', '.join(FORMATS)})") from error
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise ValueError(f"broken: {error}") from error


def to_rgb(image):
    """Any Pillow mode as RGB: deep grey scaled to 8 bits, transparency on white."""
    if image.mode.startswith(("I", "F")):
        full_scale = 65535.0 if image.mode.startswith("I;16") else None
        return Image.fromarray(to_8_bit(np.asarray(image), full_scale)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def to_8_bit(values, full_scale=None):
    """Grey values of any depth (H, W) as uint8, `full_scale` becoming 255.

    Where the file's kind does not say its full scale (32-bit integers and floats), it is the smallest of 1 (for
    fractions), 255, 65,535 and the largest value that holds every value.
    """
    values = np.nan_to_num(values.astype(np.float32), copy=False, nan=0, posinf=0, neginf=0)
    np.clip(values, -1e38, 1e38, out=values)  # so that the difference of two is finite
    values -= min(values.min(), 0)
    highest = float(values.max())
    if not full_scale:
        fractions = np.mod(values, 1).any()
        scales = (1.0, 255.0, 65535.0) if fractions else (255.0, 65535.0)
        full_scale = next((scale for scale in scales if highest <= scale), highest)
    values *= np.float32(255.0 / full_scale)
    return np.rint(values, out=values).astype(np.uint8)


def need_file(path):
    """Raise ValueError unless a path leads to a regular file: a FIFO would wait for ever, a device never end."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError("a folder, or a link to one" if stat.S_ISDIR(mode) else "neither a file nor a folder")


def sha256(path):
    need_file(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
