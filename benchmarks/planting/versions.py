"""Versions of one photo: how a copy, or a photo with a shortcut, differs from the original.

A `Version` names a photo of a pool and the steps that it went through. Each step is a pure function of the image and
one number, so that a version is computed once, whatever folders it lies in.
"""

import dataclasses
import hashlib
import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from maskkit.sources import decoding

OVAL = (0.40, 0.46)  # half axes of what is kept of a photo whose background is planted, as shares of its sides


def jpeg(image, quality):
    """Saved as a JPEG of this quality and decoded again."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    stream.seek(0)
    return decoding.decode_open(stream)


def crop(image, code):
    """Cut by the last two digits of `code`, in % of its sides, off one corner (first digit 0 to 3) or all sides (4)."""
    corner, percent = divmod(code, 100)
    width, height = image.size
    left, top = (side * percent / 100 for side in image.size)
    if corner == 4:
        return image.crop((round(left / 2), round(top / 2), round(width - left / 2), round(height - top / 2)))
    x, y = (left if corner % 2 else 0), (top if corner // 2 else 0)
    return image.crop((round(x), round(y), round(x + width - left), round(y + height - top)))


def light(image, percent):
    """Each pixel times `percent` / 100."""
    return image.point(lambda value: min(255, round(value * percent / 100)))


def size(image, side):
    return image.resize((side, side), Image.Resampling.BICUBIC)


def border(image, percent):
    """A black border of `percent` % of the longer side, over the photo, so that its size stays."""
    width = max(1, round(max(image.size) * percent / 100))
    inner = image.crop((width, width, image.width - width, image.height - width))
    return ImageOps.expand(inner, width, "black")


def background(image, hue):
    """All outside an oval in one colour of this hue (degrees), with a little of the photo in it."""
    wall = Image.new("HSV", image.size, (round(hue / 360 * 255), 110, 190)).convert("RGB")
    y, x = (np.linspace(-1, 1, side) for side in reversed(image.size))
    inside = (x[None] / (2 * OVAL[0])) ** 2 + (y[:, None] / (2 * OVAL[1])) ** 2 <= 1
    mask = Image.fromarray((255 * inside).astype(np.uint8)).filter(ImageFilter.GaussianBlur(max(image.size) / 40))
    return Image.composite(image, Image.blend(image, wall, 0.75), mask)


def camera(image, severity):
    """Another camera: from 1 to 4 fewer pixels, more blur, less contrast and a colour cast."""
    side = (0, 96, 64, 44, 30)[severity]
    small = image.resize((side, side), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.35 * severity))
    pixels = np.asarray(small, dtype=np.float32)
    pixels = 110 + (pixels - 128) * (1 - 0.13 * severity) + np.array([7, 0, -9]) * severity
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


STEPS: dict[str, Callable] = {
    "jpeg": jpeg,
    "crop": crop,
    "mirror": lambda image, _: ImageOps.mirror(image),
    "light": light,
    "size": size,
    "border": border,
    "background": background,
    "camera": camera,
}


@dataclasses.dataclass(frozen=True, order=True)
class Version:
    """A photo of a pool, by name, after some steps (name of STEPS, whole number); without steps its own bytes."""

    photo: str
    steps: tuple[tuple[str, int], ...] = ()

    @property
    def key(self):
        """Name of its file in the store: the same steps of the same photo give the same name."""
        text = f"{self.photo}{self.steps}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def after(self, *steps):
        return Version(self.photo, self.steps + steps)

    def encode(self, image):
        """(bytes, suffix) of the version, from the decoded original: a JPEG where that is the last step, else a PNG."""
        last, quality = self.steps[-1]
        is_jpeg = last == "jpeg"
        for name, value in self.steps[: -1 if is_jpeg else None]:
            image = STEPS[name](image, value)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality) if is_jpeg else image.save(stream, "PNG", compress_level=1)
        return stream.getvalue(), ".jpg" if is_jpeg else ".png"
