"""A figure written into a run's folder, and the small picture of it that a notebook shows."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from maskkit.core import disk
from maskkit.plot_style import STYLE

SHOWN_DPI = 72  # pixels of a notebook's width for each inch of a figure, as Jupyter's own figures
SCALE = 1.4  # pixels of a notebook's picture for each pixel at which it is shown: sharp on most screens, and small


@dataclasses.dataclass(frozen=True)
class Saved:
    """A figure in a run's folder; a notebook cell that ends with it shows a picture of it.

    data: of a small picture, PNG, or JPEG where the figure holds photos; width_px: at which a notebook shows it.
    """

    path: Path
    data: bytes = dataclasses.field(repr=False)
    width_px: int
    mime: str = "image/png"

    def __repr__(self) -> str:
        return f"figures/{self.path.name}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {self.mime: self.data, "text/plain": repr(self)}, {self.mime: {"width": self.width_px}}


def save(fig: Figure, run_dir: Path, name: str) -> Saved:
    """Write figures/<name>.png (150 dpi) and, unless it holds photos, figures/<name>.svg; each whole or not at all.

    The same figure gives the same bytes: no date, no random ids. The figure is closed: it is rendered once for each
    file, and a notebook shows the rendered picture.
    """
    folder, holds_photos = Path(run_dir) / "figures", shows_photos(fig)
    png = render(fig, "png", {"Software": None})
    disk.write_bytes(folder / f"{name}.png", png)
    if not holds_photos:  # as an SVG they would be larger than the PNG, and no sharper
        disk.write_bytes(folder / f"{name}.svg", render(fig, "svg", {"Date": None}))
    plt.close(fig)
    width_px = round(SHOWN_DPI * fig.get_figwidth())
    kind = "JPEG" if holds_photos else "PNG"
    return Saved(folder / f"{name}.png", preview(png, round(SCALE * width_px), kind), width_px, f"image/{kind.lower()}")


def shows_photos(fig: Figure) -> bool:
    """Whether an axis shows an image in colours of its own, as photos are."""
    return any(np.asarray(image.get_array()).ndim == 3 for axis in fig.axes for image in axis.images)


def render(fig: Figure, suffix: str, metadata: dict[str, None]) -> bytes:
    """The bytes of a figure's file in our style; suffix: "png" or "svg"."""
    data = io.BytesIO()
    with plt.rc_context(STYLE):
        fig.savefig(data, format=suffix, dpi=150, metadata=metadata)
    return data.getvalue()


def preview(png: bytes, width_px: int, kind: str) -> bytes:
    """A small picture of a PNG, at most this wide; kind: "JPEG", for photos, or "PNG", of 64 colours."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        small = image.convert("RGB")
    small.thumbnail((width_px, 100 * width_px))
    data = io.BytesIO()
    if kind == "JPEG":
        small.save(data, kind, quality=80)
    else:
        small.quantize(64, dither=Image.Dither.NONE).save(data, kind)
    return data.getvalue()
