"""Survey of a photo folder: what each file is, and measures of each photo that do not depend on the face.

`read` decodes every photo once and keeps a few kilobytes of each; the checks for leaks, shortcuts and odd files use
these.
"""

import dataclasses
import functools
import importlib.metadata
import itertools
import json
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image, ImageOps
from skimage.feature import hog

from maskkit.core import parallel
from maskkit.core.cache import cached
from maskkit.core.progress import bar
from maskkit.sources import decoding, folders, listing

VERSION = 1  # of what `measure` says of a file: raise it with any change there, for the cache
SMALL_PX = 32  # the side of the copies that photos are compared by
RING = 2  # pixels of that copy: its outer 6 %, which a face seldom reaches
COLOUR_BINS = 8  # per axis of the colour histogram
ARRAYS = ("metadata", "sharpness", "small", "colours", "hog")  # of `Survey`, in the order `measure` gives them
MEASURES = ("sha256", "bytes", "width", "height", "hash", "hash_mirrored", "deviation", "saturation")


@dataclasses.dataclass
class Survey:
    """The result of `read`: `rows` one dict per photo (file, label, part, path and MEASURES), arrays row by row.

    metadata float32 (n, 9): what the file says of itself, no pixel. sharpness float32 (n, 5). small uint8
    (n, SMALL_PX, SMALL_PX, 3). colours float32 (n, COLOUR_BINS**3), a histogram. hog float32 (n, 1764).
    broken: rows (file, label, part, reason) of what could not be decoded. classes: names, sorted.
    """

    classes: tuple[str, ...]
    rows: list[dict[str, Any]]
    broken: list[dict[str, Any]]
    metadata: np.ndarray
    sharpness: np.ndarray
    small: np.ndarray
    colours: np.ndarray
    hog: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> np.ndarray:
        """One measure of every photo, (n,)."""
        return np.array([row[name] for row in self.rows])

    @property
    def labels(self) -> np.ndarray:
        """Class indices int (n,)."""
        return np.array([self.classes.index(row["label"]) for row in self.rows], dtype=int)

    @property
    def border(self) -> np.ndarray:
        """The outer ring of each small copy, float32 (n, pixels * 3) in 0..1."""
        inner = np.zeros((SMALL_PX, SMALL_PX), dtype=bool)
        inner[RING:-RING, RING:-RING] = True
        return self.small[:, ~inner].reshape(len(self), -1) / np.float32(255)

    @property
    def thumbnail(self) -> np.ndarray:
        """Each photo at 16 x 16, in colour, float32 (n, 768) in 0..1."""
        blocks = self.small.reshape(len(self), 16, SMALL_PX // 16, 16, SMALL_PX // 16, 3)
        return blocks.mean((2, 4), dtype=np.float32).reshape(len(self), -1) / np.float32(255)


def find_files(source: folders.Source) -> list[dict[str, Any]]:
    """Every file of a source as dicts (path, file, label, part), sorted by file.

    All parts are listed, not the training part alone; part is "" if the photos lie in none. `file` is the path
    below the folder that holds the parts or the classes.
    """
    files = [
        {"path": path, "file": path.relative_to(source.folder).as_posix(), "label": label, "part": part}
        for part, classes in source.parts.items()
        for label, below in classes.items()
        for path in listing.list_photos(below)
    ]
    return sorted(files, key=lambda row: row["file"])


def read(files: list[dict[str, Any]], *, cache: Path | None = None) -> Survey:
    """Survey files of `find_files`; files that cannot be decoded are listed, not an error.

    Args:
        cache: a folder that keeps the measures for the next time these files are read; None: no cache.

    Raises:
        ValueError: no photo of a class can be decoded, or there are fewer than two classes.
    """
    classes = tuple(sorted({row["label"] for row in files}))
    if cache is None:
        arrays = measure_all(files)
    else:
        arrays = cached("survey", cache_key(files), lambda: measure_all(files), cache=cache)
    measured = json.loads(arrays.pop("found").tobytes())
    rows, broken = [], []
    for row, measures in zip(files, measured, strict=True):
        if isinstance(measures, dict):
            rows.append(row | measures)
        else:
            broken.append(row | {"reason": measures})
    seen = sorted({row["label"] for row in rows})
    if len(seen) < max(2, len(classes)):
        first = f"; the first that failed: {broken[0]['file']}: {broken[0]['reason']}" if broken else ""
        raise ValueError(
            f"{len(rows)} of {len(files)} files can be decoded as photos, of class {', '.join(seen) or 'none'}; "
            f"an audit needs photos of two classes or more, and of each class{first}"
        )
    return Survey(classes, rows, broken, **arrays)


def measure_all(files: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """{ARRAYS of the photos, and "found": JSON, for each file MEASURES or why it cannot be decoded}, numpy arrays."""
    found: list[dict[str, Any] | str] = []
    photos: list[tuple[np.ndarray, ...]] = []
    measured = parallel.in_threads(measure, [row["path"] for row in files], min(8, parallel.WORKERS))
    for measures, arrays in bar(measured, total=len(files), desc="reading", unit=" photos"):
        found.append(measures)
        photos += [] if arrays is None else [arrays]
    columns = [np.stack(column) for column in zip(*photos, strict=True)] or [np.zeros(0)] * len(ARRAYS)
    text = np.frombuffer(json.dumps(found).encode(), dtype=np.uint8)
    return dict(zip(ARRAYS, columns, strict=True)) | {"found": text}


def cache_key(files: list[dict[str, Any]]) -> list[Any]:
    """Everything that the measures of files depend on: names and contents, in order, and versions."""
    versions = (importlib.metadata.version(name) for name in ("pillow", "scikit-image", "imagehash"))
    how = [VERSION, decoding.VERSION, SMALL_PX, COLOUR_BINS, *versions]
    return [how, *((row["file"], row["label"], content_hash(row["path"])) for row in files)]


def content_hash(path: Path) -> str:
    """A file's sha256, or why it cannot be read."""
    try:
        return decoding.sha256(path)
    except (OSError, ValueError) as error:
        return str(error)


def measure(path: Path) -> tuple[dict[str, Any] | str, tuple[np.ndarray, ...] | None]:
    """(MEASURES, arrays of `Survey` in order) of one file, or (why it cannot be decoded, None)."""
    try:
        image = decoding.decode(path)
        (width, height), metadata = describe(path)
        digest = decoding.sha256(path)
    except (ValueError, OSError) as error:
        return str(error), None
    medium = image.resize((64, 64), Image.Resampling.BILINEAR)
    pixels = np.asarray(medium, dtype=np.float32) / 255
    grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    measures = {
        "sha256": digest,
        "bytes": path.stat().st_size,
        "width": width,
        "height": height,
        "hash": phash(image),
        "hash_mirrored": phash(ImageOps.mirror(image)),
        "deviation": float(np.asarray(image.convert("L"), dtype=np.float32).std()),
        "saturation": float((pixels.max(2) - pixels.min(2)).mean()),
    }
    small = np.asarray(medium.resize((SMALL_PX, SMALL_PX), Image.Resampling.BOX))
    gradients = hog(grey, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2)).astype(np.float32)
    return measures, (metadata, sharpness(image, grey), small, colour_histogram(pixels), gradients)


def describe(path: Path) -> tuple[tuple[int, int], np.ndarray]:
    """((width, height) as stored, metadata float32 (9,)): from the file's header, without its pixels."""
    with open(path, "rb") as file, decoding.head(file) as image:
        tables = getattr(image, "quantization", None) or {}
        dpi = image.info.get("dpi", (0, 0))[0]
        values = (
            decoding.FORMATS.index("JPEG" if image.format == "MPO" else image.format),  # MPO: JPEGs in one file
            len(image.getbands()),
            image.mode in ("P", "1"),
            "exif" in image.info,
            "icc_profile" in image.info,
            float(dpi) if np.isfinite(float(dpi)) else 0.0,
            sum(map(sum, tables.values())),  # how coarsely a JPEG was quantised
            bool(image.info.get("progressive") or image.info.get("interlace")),
            sum(isinstance(value, str) for value in image.info.values()),  # comments and text chunks
        )
        return image.size, np.array(values, dtype=np.float32)


def phash(image: Image.Image) -> int:
    """A perceptual hash as an integer of 64 bits."""
    return int(str(imagehash.phash(image)), 16)


def sharpness(image: Image.Image, grey: np.ndarray) -> np.ndarray:
    """How sharp and how noisy a photo is, float32 (5,), logarithms: at its own size and at 64 px.

    Variance of the Laplacian (Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy), mean
    gradient, and noise as the median of the absolute Laplacian, which edges hardly move.
    """
    full = np.asarray(image.convert("L"), dtype=np.float32) / 255
    measures = [*laplacian_measures(full), *laplacian_measures(grey)[:2]]
    return np.log10(np.array(measures, dtype=np.float32) + np.float32(1e-6))


def laplacian_measures(grey: np.ndarray) -> tuple[float, float, float]:
    """(variance of the Laplacian, mean absolute gradient, median absolute Laplacian); zeros below 3 pixels."""
    if min(grey.shape) < 3:
        return 0.0, 0.0, 0.0
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    gradient = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    return laplacian.var(), gradient, np.median(np.abs(laplacian))


def colour_histogram(pixels: np.ndarray) -> np.ndarray:
    """The colours of a photo, without their places: float32 (COLOUR_BINS**3,), of unit length.

    Opponent colours, shared out among the neighbouring bins, the middle of the photo counted more than its
    rim; square roots, so that a product of two histograms is their Hellinger affinity. Turning, mirroring,
    stretching or moving a photo changes it little.

    Args:
        pixels: float32 (H, W, 3) in 0..1.
    """
    red, green, blue = np.moveaxis(pixels, 2, 0)
    colours = np.stack([pixels.mean(2), red - green + 0.5, (red + green) / 2 - blue + 0.5])
    place = colours.clip(0, 0.9999) * (COLOUR_BINS - 1)
    low = place.astype(int)
    shares = (1 - (place - low), place - low)
    weight, first = middle_weights(*pixels.shape[:2]), bin_number(low)
    counts = np.zeros(COLOUR_BINS**3)
    for corner in itertools.product((0, 1), repeat=3):
        brightness, red_green, blue_yellow = (shares[above][axis] for axis, above in enumerate(corner))
        bins = first + bin_number(corner)
        counts += np.bincount(bins.ravel(), (weight * brightness * red_green * blue_yellow).ravel(), len(counts))
    return np.sqrt(counts / counts.sum()).astype(np.float32)


def bin_number(place: Any) -> Any:
    """The number of a bin of the colour histogram by its place on each axis."""
    brightness, red_green, blue_yellow = place
    return (brightness * COLOUR_BINS + red_green) * COLOUR_BINS + blue_yellow


@functools.cache
def middle_weights(height: int, width: int) -> np.ndarray:
    """How much each pixel of a photo counts in the colour histogram, float64 (height, width)."""
    y, x = (np.linspace(-1, 1, size) for size in (height, width))
    return np.exp(-(y[:, None] ** 2 + x**2) / 0.8)
