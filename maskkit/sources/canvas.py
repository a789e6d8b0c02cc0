"""A canvas in head coordinates on which faces are drawn, with colours and shapes."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = str | tuple[int, ...]  # "#rrggbb" or (r, g, b)
Points = Sequence[tuple[float, float]]  # head coordinates
Scene = dict[
    str, Any
]  # what does not depend on the class: person, pose, light, camera; as of `face_drawing.draw_scene`

SIDE = 512  # the canvas in px, at least twice the largest photo: scaling it down smooths the edges
# Catmull-Rom: the weights of four neighbouring points, at eight steps between the second and the third
ROUND = np.array(
    [
        [(-t + 2 * t**2 - t**3) / 2, (2 - 5 * t**2 + 3 * t**3) / 2, (t + 4 * t**2 - 3 * t**3) / 2, (t**3 - t**2) / 2]
        for t in np.arange(0, 1, 0.125)
    ]
)


def mix(a: Colour, b: Colour, share: float) -> tuple[int, ...]:
    """The colour `share` of the way from a to b."""
    return tuple(round(x + (y - x) * share) for x, y in zip(to_rgb(a), to_rgb(b), strict=True))


def to_rgb(colour: Colour) -> tuple[int, ...]:
    """(r, g, b) of a colour."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) if isinstance(colour, str) else colour


def darker(colour: Colour, share: float) -> tuple[int, ...]:
    return mix(colour, "#32140c", share)


def lighter(colour: Colour, share: float) -> tuple[int, ...]:
    return mix(colour, "#fffaf0", share)


def mirror(half: Points) -> Points:
    """Closed outline from its right half, in which at most the first and the last point lie on the axis x = 0."""
    return list(half) + [(-x, y) for x, y in reversed(half) if x]


def oval(x: float, y: float, rx: float, ry: float, n: int = 16) -> Points:
    angles = [2 * math.pi * i / n for i in range(n)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


class Canvas:
    """An image in head coordinates: x right, y down, origin between the eyes, unit half a head's width.

    `is_front`: whether points lie on the front of the head, and move along when it turns or nods.
    """

    def __init__(self, scene: Scene) -> None:
        self.is_front = False
        self.image = Image.new("RGB", (SIDE, SIDE))
        self.scene = scene
        self.unit = scene["unit"] * SIDE
        self.centre = np.array(scene["centre"]) * SIDE
        c, s = math.cos(scene["tilt"]), math.sin(scene["tilt"])
        self.rotation = np.array([[c, s], [-s, c]])
        grid = (np.stack(np.meshgrid(*[np.arange(4, SIDE, 8)] * 2), -1) - self.centre) / self.unit
        self.distance = np.linalg.norm((grid - np.array(scene["light"]) * 0.6) / (1, 1.25), axis=-1)
        self.shadow = self.field(np.clip((self.distance - 0.5) / 1.3, 0, 1))
        self.shine = self.field(np.clip(1 - self.distance / 0.9, 0, 1))

    @property
    def front(self) -> "Canvas":
        """The same canvas, for what lies on the front of the head."""
        face = copy.copy(self)
        face.is_front = True
        return face

    def field(self, values: np.ndarray) -> Image.Image:
        image = Image.fromarray(np.round(values * 255).astype(np.uint8))
        return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)

    def place(self, given: Points) -> np.ndarray:
        """Head coordinates (N, 2) to canvas px."""
        points = np.array(given, dtype=float)
        if self.is_front:
            angle = np.arcsin(np.clip(points[:, 0], -1, 1)) + self.scene["turn"]
            points[:, 0] = np.sin(np.clip(angle, -1.5, 1.5))
            points[:, 1] += self.scene["nod"] * (1 - points[:, 1] ** 2 / 2)
        return points * (self.scene["wide"], 1) @ self.rotation * self.unit + self.centre

    def outline(self, points: Points, smooth: bool = True) -> Points:
        """The corners of a polygon in canvas px."""
        corners = self.place(points)
        if smooth:
            corners = np.einsum("tk,knd->ntd", ROUND, [np.roll(corners, k, 0) for k in (1, 0, -1, -2)]).reshape(-1, 2)
        return [tuple(p) for p in corners]

    def area(self, points: Points, smooth: bool = True) -> Image.Image:
        """The outline's inside as a mask (L, canvas size)."""
        mask = Image.new("L", (SIDE, SIDE))
        ImageDraw.Draw(mask).polygon(self.outline(points, smooth), fill=255)
        return mask

    def fill(self, points: Points, colour: Colour, smooth: bool = True, clip: Image.Image | None = None) -> None:
        if clip is None:
            ImageDraw.Draw(self.image).polygon(self.outline(points, smooth), fill=to_rgb(colour))
        else:
            self.paint(ImageChops.multiply(self.area(points, smooth), clip), colour)

    def glow(self, points: Points, colour: Colour, alpha: float, soft: float, clip: Image.Image | None = None) -> None:
        """A shape with soft edges; soft in head units, alpha 0..1."""
        mask = Image.new("L", (SIDE // 4, SIDE // 4))
        outline = [(x / 4, y / 4) for x, y in self.outline(points)]
        ImageDraw.Draw(mask).polygon(outline, fill=round(255 * alpha))
        mask = mask.filter(ImageFilter.GaussianBlur(soft * self.unit / 4))
        if box := mask.getbbox():
            left, top, right, bottom = (4 * edge for edge in box)
            mask = mask.crop(box).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
            if clip is not None:
                mask = ImageChops.multiply(mask, clip.crop((left, top, right, bottom)))
            self.image.paste(to_rgb(colour), (left, top, right, bottom), mask)

    def line(self, points: Points, colour: Colour, width: float, clip: Image.Image | None = None) -> None:
        """A smooth open line with round ends; width in head units."""
        p = self.place(points)
        p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
        smoothed = np.einsum("tk,knd->ntd", ROUND, [p[k : len(p) - 3 + k] for k in range(4)]).reshape(-1, 2)
        curve = [tuple(q) for q in smoothed] + [tuple(p[-2])]
        image = self.image if clip is None else Image.new("L", (SIDE, SIDE))
        px = max(2, round(width * self.unit))
        ink: Any = to_rgb(colour) if clip is None else 255
        draw = ImageDraw.Draw(image)
        draw.line(curve, fill=ink, width=px, joint="curve")
        for x, y in (curve[0], curve[-1]):
            draw.ellipse((x - px / 2, y - px / 2, x + px / 2, y + px / 2), fill=ink)
        if clip is not None:
            self.paint(ImageChops.multiply(image, clip), colour)

    def paint(self, mask: Image.Image, colour: Colour, alpha: float = 1.0) -> None:
        if box := mask.getbbox():
            mask = mask.crop(box)
            mask = mask if alpha == 1 else mask.point([round(v * alpha) for v in range(256)])
            self.image.paste(to_rgb(colour), box, mask)

    def model(self, mask: Image.Image, colour: Colour, depth: float = 0.3) -> None:
        """Light and shadow of a rounded body on what lies inside the mask."""
        self.paint(ImageChops.multiply(mask, self.shadow), darker(colour, 0.75), depth)
        self.paint(ImageChops.multiply(mask, self.shine), lighter(colour, 0.8), depth * 0.6)
