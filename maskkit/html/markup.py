"""HTML elements and pictures from Python: for the widgets, and for the values that templates are given."""

import base64
import dataclasses
import io
from pathlib import Path

from markupsafe import Markup, escape
from PIL import Image

DPI, LARGE_PX = 150, 2000  # of our figures; wider ones, whose letters would be too small, keep their size and scroll


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """One HTML element around its content; what is no `Markup` is escaped; `class_` stands for class."""
    pairs = (Markup(' {}="{}"').format(name.strip("_").replace("_", "-"), value) for name, value in attributes.items())
    inner = Markup("").join(map(escape, content))
    return Markup("<{0}{1}>{2}</{0}>").format(tag, Markup("").join(pairs), inner)


def css(name: str) -> Markup:
    """A style sheet beside this file."""
    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))


def image(uri: str, alt: str) -> Markup:
    """An <img>; uri: as `data_uri` gives it."""
    return Markup('<img alt="{}" src="{}">').format(alt, uri)


def data_uri(data: bytes, kind: str = "png") -> str:
    """A picture for a `src` attribute; kind: png or jpeg."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def thumbnail(photo: Image.Image, side_px: int) -> str:
    """A photo made small, its longer side `side_px`, as a JPEG for a `src` attribute; about 5 kilobytes at 144."""
    small, file = photo.copy(), io.BytesIO()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    small.save(file, "JPEG", quality=82)
    return data_uri(file.getvalue(), "jpeg")


@dataclasses.dataclass(frozen=True)
class Figure:
    """A PNG for a page.

    name: the file's, without .png; uri: the picture itself; width, height: pixels; shape: how the style sheet lays it
    out.
    """

    name: str
    uri: str
    width: int
    height: int
    shape: str

    @property
    def natural_px(self) -> int:
        """The width in CSS pixels at which its letters have the size they were drawn for."""
        return self.width * 96 // DPI


def read_figure(path: Path) -> Figure | None:
    """A PNG file as a `Figure`; None where there is no file."""
    if not path.exists():
        return None
    data = path.read_bytes()
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))  # PNG's header
    shape = "tall" if height > 0.9 * width else "wide"
    shape = "long" if height > 1.5 * width else "large" if width > LARGE_PX else shape
    return Figure(path.stem, data_uri(data), width, height, shape)
