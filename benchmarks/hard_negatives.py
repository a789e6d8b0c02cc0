"""Hard photos made of easy ones: bare faces with something before the mouth, faces that are dark, blurred or turned.

Drawn otherwise than the training's own occluders (`maskkit.improve.occluders`), so that a network which learned from
those is not tested on the same shapes: hands and scarves are cut from other photos, masks on the chin from photos of
masks. As masks hide the mouth and these do too, a network that looks for a visible mouth calls them masked.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from maskkit import data
from maskkit.sources.folders import REPORT_CLASSES

SIDE = 224
MASKED, BARE = REPORT_CLASSES


@dataclasses.dataclass(frozen=True)
class Hardened:
    """A transform that makes a photo hard first; used like a `model.Transform`.

    change: maps (photo SIDE x SIDE, generator, donors) to such a photo; donors: photos that it cuts pieces from.
    """

    transform: data.ImageTransform
    name: str
    change: Callable[..., Image.Image] = dataclasses.field(repr=False)
    donors: tuple[Image.Image, ...] = dataclasses.field(default=(), repr=False)

    def __call__(self, image):
        digest = hashlib.sha256(self.name.encode() + np.asarray(image).tobytes()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        return self.transform(self.change(image.resize((SIDE, SIDE)), generator, self.donors))

    def describe(self) -> dict[str, Any]:
        return self.transform.describe() | {"hard": self.name, "version": 1}


def hand(photo, generator, donors):
    """Fingers from the side, of the skin of another face's forehead."""
    skin = donors[generator.integers(len(donors))].crop((80, 40, 150, 75)).resize((SIDE, SIDE))
    shape = Image.new("L", (SIDE, SIDE))
    pen, side = ImageDraw.Draw(shape), generator.choice([-1, 1])
    x, y = generator.normal((112, 160), (12, 8))
    for finger in range(4):
        tip, top = x - 45 * side, y - 24 + 17 * finger
        pen.line([tip, top + generator.normal(0, 3), x + 70 * side, top + 20], fill=255, width=15)
        pen.ellipse([tip - 8, top - 8, tip + 8, top + 8], fill=255)
    pen.ellipse([x + 60 * side - 45, y - 20, x + 60 * side + 45, y + 70], fill=255)
    return Image.composite(skin, photo, shape.filter(ImageFilter.GaussianBlur(1)))


def scarf(photo, generator, donors):
    """A wavy edge, and below it a corner of another photo: hair, clothes, background."""
    left, top = 150 * generator.integers(2), generator.integers(150)
    cloth = donors[generator.integers(len(donors))].crop((left, top, left + 74, top + 74)).resize((SIDE, SIDE))
    shape, x, phase = Image.new("L", (SIDE, SIDE)), np.arange(0, SIDE + 1, 8), generator.uniform(0, 6, 2)
    edge = 145 + generator.normal(0, 12) + 10 * np.sin(x / 40 + phase[0]) + 5 * np.sin(x / 17 + phase[1])
    ImageDraw.Draw(shape).polygon([*zip(x.tolist(), edge.tolist(), strict=True), (SIDE, SIDE), (0, SIDE)], fill=255)
    return Image.composite(cloth, photo, shape.filter(ImageFilter.GaussianBlur(1)))


def chin(photo, generator, donors):
    """A piece of a worn mask below the mouth; donors: photos of masked faces."""
    piece = donors[generator.integers(len(donors))].crop((60, 115, 165, 205)).resize((130, 50))
    shape, hard = Image.new("L", (130, 50)), photo.copy()
    ImageDraw.Draw(shape).ellipse([0, -30, 130, 60], fill=255)
    hard.paste(piece, (47, 186), shape)
    return hard


def dark(photo, generator, donors):
    return photo.point(lambda value: int(0.3 * value))


def blurred(photo, generator, donors):
    small = photo.resize((22, 22), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(0.8))
    return small.resize((SIDE // 2, SIDE // 2), Image.Resampling.BILINEAR)


def turned(photo, generator, donors):
    """As a face that is turned to the side: one side further away, the whole narrower."""
    corners = ((0, 0, 0, 224, 224, 190, 224, 34), (0, 34, 0, 190, 224, 224, 224, 0))[generator.integers(2)]
    far = photo.transform((SIDE, SIDE), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    return far.resize((130, SIDE)).resize((SIDE, SIDE))


OF_BARE = {"hand": (hand, BARE), "scarf": (scarf, BARE), "chin": (chin, MASKED)}  # what is drawn, the donors' class
OF_ALL = {"dark": dark, "blurred": blurred, "turned": turned}


def sets(photos, transform):
    """{name: `data.Photos`} of hard photos made of `photos`; the first three hold bare faces alone."""
    pieces = {
        name: tuple(
            photos.image(place).resize((SIDE, SIDE)) for place, row in enumerate(photos.rows) if row["label"] == name
        )[:40]
        for name in REPORT_CLASSES
    }
    bare = [row for row in photos.rows if row["label"] == BARE]
    found = {
        name: data.Photos(bare, photos.classes, Hardened(transform, name, change, pieces[of]))
        for name, (change, of) in OF_BARE.items()
    }
    return found | {
        name: data.Photos(photos.rows, photos.classes, Hardened(transform, name, change))
        for name, change in OF_ALL.items()
    }
