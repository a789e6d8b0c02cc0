"""Read TIFF files as Pillow images: each combination of tags is decoded right, or refused by the name of the tag.

Pillow decodes the usual combinations. Of the others it refuses some without a reason and decodes some wrong without an
error (planes of 16 bits, 12 bits as 16, white and black exchanged). Those are decoded here: libtiff, through Pillow,
unpacks the compressed bytes, and numpy makes samples of them. (The library tifffile would do the same, but it cannot
read LZW, the most usual compression, without the package imagecodecs.)
"""

import dataclasses
import io
import math
import struct
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

Tags = TiffImagePlugin.ImageFileDirectory_v2  # the tags of one image, by number

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")  # the last two are wrong, and Pillow reads them
TURN = 274  # the tag of the orientation
NAMES = {
    256: "ImageWidth", 257: "ImageLength", 258: "BitsPerSample", 259: "Compression", 262: "PhotometricInterpretation",
    266: "FillOrder", 277: "SamplesPerPixel", 284: "PlanarConfiguration", 317: "Predictor", 320: "ColorMap",
    332: "InkSet", 338: "ExtraSamples", 339: "SampleFormat", 529: "YCbCrCoefficients", 530: "YCbCrSubSampling",
    532: "ReferenceBlackWhite",
}  # fmt: skip
DEFAULTS: dict[int, tuple] = {
    258: (1,),
    259: (1,),
    266: (1,),
    277: (1,),
    284: (1,),
    317: (1,),
    332: (1,),
    338: (),
    339: (1,),
}
WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6  # values of PhotometricInterpretation
COLOURS = {WHITE_IS_0: 1, BLACK_IS_0: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}  # samples that make the colour
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # values of SampleFormat
LETTERS = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}  # numpy's
ASSOCIATED, UNASSOCIATED = 1, 2  # values of ExtraSamples: alpha that colours were, or were not, multiplied with
PACKED = {5: "LZW", 8: "Deflate", 32773: "PackBits", 32946: "Deflate", 34925: "LZMA", 50000: "Zstandard"}
PREDICTED = set(PACKED) - {32773}  # compressions that go with a Predictor
FAX, JPEG = (2, 3, 4), (6, 7)  # other compressions, which Pillow decodes
MAX_BYTES = 400_000_000  # of a file's samples: 50 megapixels of 16-bit RGB and a little more
REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))  # for FillOrder 2


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the tags of a TIFF's first image say of its pixels.

    order: "<" or ">". extra: ExtraSamples, one for each sample beyond the colour. bits: of every sample.
    """

    order: str
    width: int
    height: int
    photometric: int
    samples: int
    bits: int
    sample_format: int
    extra: tuple
    planar: int
    compression: int
    predictor: int
    fill_order: int
    turn: int

    @property
    def pixel(self) -> int:
        """Samples side by side in one plane."""
        return 1 if self.planar == 2 else self.samples


def open(file: IO[bytes]) -> ImageFile.ImageFile:
    """Open the first image of a TIFF (a binary file at its start), pixels not yet decoded.

    Raises:
        ValueError: nothing here decodes these tags; the message names the first such tag and its value.
        SyntaxError, OSError, TypeError, and others of `decoding.BROKEN`: the file is damaged.
    """
    tags = read_tags(file)
    layout = read_layout(tags)
    file.seek(0)
    return TiffImagePlugin.TiffImageFile(file) if is_right_in_pillow(layout, tags) else TiffPhoto(file)


def read_tags(file: IO[bytes]) -> Tags:
    """Return the tags of the first image."""
    head = file.read(8)
    if head.startswith(b"MM\0+"):
        raise ValueError("TIFF of kind BigTIFF in byte order MM: it is not decoded here; save it as 8-bit TIFF or PNG")
    head += file.read(8) if head[2] == 43 else b""
    tags = Tags(head)
    file.seek(tags.next)
    tags.load(file)
    return tags


def numbers(tags: Tags, tag: int) -> tuple:
    """A tag's values, or its default's."""
    value = tags.get(tag, DEFAULTS.get(tag))
    if value is None:
        raise ValueError(f"TIFF without {NAMES.get(tag, tag)}: it is not decoded here; save it as 8-bit TIFF or PNG")
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def refuse(tag: int, value: Any, why: str = "is not decoded here") -> ValueError:
    """The error for a tag; raise it."""
    values = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    return ValueError(f"TIFF with {NAMES[tag]} {values}, which {why}; save it as 8-bit TIFF or PNG")


def read_layout(tags: Tags) -> Layout:
    """Return the layout that the tags describe.

    Raises:
        ValueError: as `open`.
    """
    width, height, compression, photometric, samples, planar, predictor, fill_order = (
        numbers(tags, tag)[0] for tag in (256, 257, 259, 262, 277, 284, 317, 266)
    )
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise ValueError(f"broken: TIFF of {width} x {height} pixels")
    if photometric not in COLOURS:
        raise refuse(262, photometric)
    if compression not in (1, *PACKED, *FAX, *JPEG):
        raise refuse(259, compression)
    if planar not in (1, 2):
        raise refuse(284, planar)
    if fill_order not in (1, 2):
        raise refuse(266, fill_order)
    if compression in JPEG and 277 not in tags:
        samples = COLOURS[photometric]
    if not COLOURS[photometric] <= samples <= 16:
        raise refuse(277, samples, f"does not go with PhotometricInterpretation {photometric}")
    layout = Layout(
        "<" if tags.prefix == b"II" else ">",
        width,
        height,
        photometric,
        samples,
        single(tags, 258),
        single(tags, 339),
        read_extra(tags, photometric, samples),
        planar,
        compression,
        predictor if compression in PREDICTED else 1,
        fill_order,
        numbers(tags, TURN)[0] if TURN in tags else 1,
    )
    check_samples(layout, tags)
    return layout


def single(tags: Tags, tag: int) -> int:
    """The value that a tag gives to every sample alike."""
    values = numbers(tags, tag)
    if len(set(values)) != 1:
        raise refuse(tag, values, "differs from sample to sample")
    return values[0]


def read_extra(tags: Tags, photometric: int, samples: int) -> tuple:
    """What each sample beyond the colour is, as ExtraSamples says; RGB with one more and no such tag has alpha."""
    extra, n = numbers(tags, 338), samples - COLOURS[photometric]
    if not extra and n == 1 and photometric == RGB:
        return (UNASSOCIATED,)
    if len(extra) != n:
        raise refuse(338, extra or "missing", f"does not go with SamplesPerPixel {samples}")
    return tuple(UNASSOCIATED if kind == 999 else kind for kind in extra)  # 999: Corel Draw 10


def check_samples(layout: Layout, tags: Tags) -> None:
    """Raise ValueError for kinds of samples that no rule gives a colour for, or no code here."""
    kind, bits, photometric = layout.sample_format, layout.bits, layout.photometric
    colours_only = kind == UNSIGNED and bits in (8, 16)
    if kind not in (UNSIGNED, SIGNED, FLOAT):
        raise refuse(339, kind)
    if kind == SIGNED and (bits != 32 or photometric != BLACK_IS_0):
        raise refuse(339, kind, "leaves open whether 0 is black or grey")
    if kind == FLOAT and bits not in (16, 32, 64) or kind == UNSIGNED and bits not in (*range(1, 17), 32):
        raise refuse(258, bits, f"is not decoded here with SampleFormat {kind}")
    if kind == FLOAT and photometric not in (BLACK_IS_0, RGB):
        raise refuse(262, photometric, f"is not decoded here with SampleFormat {kind}")
    if photometric == PALETTE and (bits > 16 or kind != UNSIGNED):
        raise refuse(258, bits, "is too deep for a palette")
    if photometric == CMYK and not colours_only or photometric == YCBCR and (bits != 8 or not colours_only):
        raise refuse(258, bits, f"is not decoded here with PhotometricInterpretation {photometric}")
    alpha = set(layout.extra) - {0}
    if alpha - {ASSOCIATED, UNASSOCIATED}:
        raise refuse(338, layout.extra)
    if alpha and (photometric in (CMYK, YCBCR) or ASSOCIATED in alpha and photometric not in (BLACK_IS_0, RGB)):
        raise refuse(338, layout.extra, f"is not decoded here with PhotometricInterpretation {photometric}")
    if photometric == CMYK and numbers(tags, 332) != (1,):
        raise refuse(332, numbers(tags, 332), "names other inks than CMYK")
    if layout.predictor not in (1, 2, 3):
        raise refuse(317, layout.predictor)
    if layout.predictor == 2 and bits not in (8, 16, 32, 64) or layout.predictor == 3 and kind != FLOAT:
        raise refuse(317, layout.predictor, f"does not go with BitsPerSample {bits} and SampleFormat {kind}")
    if photometric == PALETTE and len(numbers(tags, 320)) != 3 << bits:
        raise refuse(320, f"of {len(numbers(tags, 320))} values", f"does not go with BitsPerSample {bits}")
    if photometric == YCBCR:
        check_ycbcr(layout, tags)


def check_ycbcr(layout: Layout, tags: Tags) -> None:
    """Raise ValueError where YCbCr is not that of JPEG, which is the one that is computed here."""
    subsampling = tags.get(530, (1, 1) if layout.compression in (1, *PACKED) else (2, 2))
    if layout.compression in (1, *PACKED) and tuple(subsampling) != (1, 1):
        raise refuse(530, tuple(subsampling), f"is not decoded here with Compression {layout.compression}")
    coefficients = [float(value) for value in tags.get(529, (0.299, 0.587, 0.114))]
    if not np.allclose(coefficients, (0.299, 0.587, 0.114), atol=1e-3):
        raise refuse(529, tuple(round(value, 4) for value in coefficients))
    reference = [float(value) for value in tags.get(532, (0, 255, 128, 255, 128, 255))]
    if not np.allclose(reference, (0, 255, 128, 255, 128, 255), atol=1):
        raise refuse(532, tuple(reference))


def is_right_in_pillow(layout: Layout, tags: Tags) -> bool:
    """Whether Pillow itself decodes such a file right (compared with other decoders in the tests).

    Raises:
        ValueError: neither Pillow nor `TiffPhoto` does.
    """
    bits, kind, extra, photometric = layout.bits, layout.sample_format, layout.extra, layout.photometric
    grey, one_plane = photometric in (WHITE_IS_0, BLACK_IS_0), layout.planar == 1 or layout.samples == 1
    if layout.compression in (*FAX, *JPEG):
        check_codec(layout)
        return True
    if layout.fill_order != 1 or ASSOCIATED in extra or photometric == YCBCR:
        return False
    if grey and not extra:
        if bits == 32:  # libtiff unpacks in this machine's order, which Pillow turns round a second time
            return kind != UNSIGNED and (layout.order == "<" or layout.compression == 1)
        return kind == UNSIGNED and (bits in (1, 2, 4, 8) or bits == 16 and photometric == BLACK_IS_0)
    if photometric == RGB and kind == UNSIGNED and len(extra) <= 1:
        return bits == 8 and (one_plane or not extra) or bits == 16 and one_plane
    if photometric == PALETTE:
        return bits in (1, 2, 4, 8) and not extra and max(numbers(tags, 320)) > 255
    return photometric == CMYK and bits == 8 and not extra and one_plane


def check_codec(layout: Layout) -> None:
    """Raise ValueError where Pillow does not decode a TIFF of fax or JPEG data right."""
    depth = 1 if layout.compression in FAX else 8
    if layout.bits != depth or layout.sample_format != UNSIGNED:
        raise refuse(258, layout.bits, f"does not go with Compression {layout.compression}")
    if layout.planar == 2 and layout.samples > 1:
        raise refuse(284, layout.planar, f"is not decoded here with Compression {layout.compression}")
    if ASSOCIATED in layout.extra or layout.extra and layout.photometric != RGB:
        raise refuse(338, layout.extra, f"is not decoded here with Compression {layout.compression}")


class TiffPhoto(ImageFile.ImageFile):
    """A TIFF that Pillow does not decode right, as an image of mode L or RGB, turned upright, alpha on white."""

    format, format_description = "TIFF", "TIFF of an unusual layout"

    def _open(self) -> None:
        assert self.fp is not None  # opened by ImageFile
        self.tags = read_tags(self.fp)
        self.layout = read_layout(self.tags)
        width, height = self.layout.width, self.layout.height
        self._size = (height, width) if self.layout.turn in (5, 6, 7, 8) else (width, height)
        self._mode = "L" if self.layout.photometric in (WHITE_IS_0, BLACK_IS_0) else "RGB"
        self.info["compression"] = TiffImagePlugin.COMPRESSION_INFO[self.layout.compression]
        self.tile = []

    def load(self) -> Any:
        if self._im is None:
            assert self.fp is not None  # not yet closed
            pixels = colours(read_samples(self.fp, self.tags, self.layout), self.layout, self.tags)
            self.im = Image.fromarray(np.ascontiguousarray(upright(pixels, self.layout))).im
        return super().load()


def upright(pixels: np.ndarray, layout: Layout) -> np.ndarray:
    """Pixels (H, W, ...) turned as the orientation tag says."""
    if layout.turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    rows, columns = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(layout.turn, (1, 1))
    return pixels[::rows, ::columns]


# --- samples ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Blocks:
    """A TIFF's strips or tiles: `width` x `height` pixels each, row by row, plane by plane."""

    width: int
    height: int
    offsets: tuple
    lengths: tuple  # in bytes; None where the file does not say, as old ones do
    cut: bool  # strips: the last one of a plane ends where the image does

    @classmethod
    def of(cls, tags: Tags, layout: Layout) -> "Blocks":
        if 324 in tags:
            width, height = (numbers(tags, tag)[0] for tag in (322, 323))
            return cls(width, height, numbers(tags, 324), numbers(tags, 325), cut=False)
        offsets = numbers(tags, 273)
        lengths = numbers(tags, 279) if 279 in tags else (None,) * len(offsets)
        return cls(layout.width, min(tags.get(278) or layout.height, layout.height), offsets, lengths, cut=True)

    def places(self, layout: Layout) -> Iterator[tuple[int, int, int, int]]:
        """(plane, top, left, height) of each block, in their order."""
        for plane in range(layout.samples // layout.pixel):
            for top in range(0, layout.height, self.height):
                for left in range(0, layout.width, self.width):
                    yield plane, top, left, min(self.height, layout.height - top) if self.cut else self.height


def read_samples(file: IO[bytes], tags: Tags, layout: Layout) -> np.ndarray:
    """Every sample of the file, (H, W, samples), of the smallest type that holds it.

    Raises:
        ValueError: strips or tiles are missing, too short or too large.
    """
    size = next(size for size in (1, 2, 4, 8) if layout.bits <= 8 * size)
    dtype = np.dtype(f"{LETTERS[layout.sample_format]}{size}")
    n_bytes = layout.height * layout.width * layout.samples * dtype.itemsize
    if n_bytes > MAX_BYTES:
        raise refuse(258, layout.bits, f"makes {n_bytes:,} bytes of these pixels, over the limit of {MAX_BYTES:,}")
    blocks = Blocks.of(tags, layout)
    row = math.ceil(blocks.width * layout.pixel * layout.bits / 8)
    if row * blocks.height > max(2 * n_bytes, 1_000_000):
        raise ValueError(f"broken: TIFF with tiles of {blocks.width} x {blocks.height} pixels")
    samples = np.empty((layout.height, layout.width, layout.samples), dtype)
    for (plane, top, left, rows), offset, length in zip(
        blocks.places(layout), blocks.offsets, blocks.lengths, strict=True
    ):
        file.seek(offset)
        packed = file.read(min(rows * row * 2 + 10_000, rows * row if length is None else length))
        block = unpack(unpress(packed, rows, row, layout), rows, blocks.width, layout)
        area = samples[top : top + rows, left : left + blocks.width, plane * layout.pixel : (plane + 1) * layout.pixel]
        area[:] = block[: area.shape[0], : area.shape[1]]
    return samples


def unpress(packed: bytes, rows: int, row: int, layout: Layout) -> bytes:
    """The rows * row bytes that a strip or tile holds: libtiff takes them out, told that they are 8-bit grey."""
    if layout.compression == 1:
        plain = packed[: rows * row]
        plain = plain.translate(REVERSED) if layout.fill_order == 2 else plain
    else:
        entries = {
            256: row,
            257: rows,
            258: 8,
            259: layout.compression,
            262: 1,
            266: layout.fill_order,
            277: 1,
            278: rows,
            279: len(packed),
        }
        entries |= {273: 8 + 2 + 12 * (len(entries) + 1) + 4}
        head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
        head += b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries))
        with TiffImagePlugin.TiffImageFile(io.BytesIO(head + bytes(4) + packed)) as image:
            plain = image.tobytes()
    if len(plain) < rows * row:
        raise ValueError(f"broken: a strip or tile of the TIFF holds {len(plain)} of {rows * row} bytes")
    return plain


def unpack(plain: bytes, rows: int, width: int, layout: Layout) -> np.ndarray:
    """Bytes as samples (rows, width, samples side by side), the predictor undone."""
    bits, shape = layout.bits, (rows, width, layout.pixel)
    if layout.predictor == 3:  # Adobe's for floats: differences of bytes, the first byte of every sample first
        differences = np.frombuffer(plain, np.uint8).reshape(rows, -1, layout.pixel)
        mixed = np.cumsum(differences, axis=1, dtype=np.uint8).reshape(rows, bits // 8, -1)
        return np.ascontiguousarray(mixed.transpose(0, 2, 1)).view(f">f{bits // 8}").reshape(shape)
    if bits in (8, 16, 32, 64):
        kind = LETTERS[layout.sample_format] + str(bits // 8)
        if layout.predictor == 1:
            return np.frombuffer(plain, layout.order + kind).reshape(shape)
        differences = np.frombuffer(plain, f"{layout.order}u{bits // 8}").reshape(shape)
        return np.cumsum(differences, axis=1, dtype=f"u{bits // 8}").view(kind)
    raw = np.frombuffer(plain, np.uint8).reshape(rows, -1)
    samples = np.zeros((rows, width * layout.pixel), np.uint16)
    for band in bands(rows, width * layout.pixel):
        ones = np.unpackbits(raw[band], axis=1)[:, : samples.shape[1] * bits].reshape(-1, samples.shape[1], bits)
        for i in range(bits):
            samples[band] = samples[band] << 1 | ones[..., i]
    return samples.reshape(shape)


def bands(rows: int, per_row: int) -> Iterator[slice]:
    """Slices of about a million values each, for steps that need many times the memory of the values."""
    step = max(1, 1_000_000 // per_row)
    return (slice(top, min(top + step, rows)) for top in range(0, rows, step))


# --- colours ------------------------------------------------------------------------------------


def colours(samples: np.ndarray, layout: Layout, tags: Tags) -> np.ndarray:
    """Samples (H, W, samples) as uint8 (H, W), grey, or (H, W, 3), RGB, transparency on white."""
    n, photometric = COLOURS[layout.photometric], layout.photometric
    if photometric == PALETTE:
        table = np.array(numbers(tags, 320)).reshape(3, -1).T
        pixels = look_up((table >> 8 if table.max() > 255 else table).astype(np.uint8), samples[..., 0])
    else:
        pixels = to_bytes(samples[..., :n], layout)
    if photometric == WHITE_IS_0:
        pixels = 255 - pixels
    if photometric in (CMYK, YCBCR):
        mode = "CMYK" if photometric == CMYK else "YCbCr"
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels), mode).convert("RGB"))
    alphas = [i for i, kind in enumerate(layout.extra) if kind]
    if alphas:
        alpha = to_bytes(samples[..., n + alphas[0], np.newaxis], layout)
        pixels = on_white(pixels, alpha, layout.extra[alphas[0]] == ASSOCIATED)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def to_bytes(samples: np.ndarray, layout: Layout) -> np.ndarray:
    """Samples (H, W, n) of any depth as uint8 of the same shape: the largest of that depth is 255."""
    if layout.sample_format != UNSIGNED or layout.bits == 32:
        return to_8_bit(samples)
    return samples if layout.bits == 8 else scaled(samples, layout.bits)


def scaled(samples: np.ndarray, bits: int) -> np.ndarray:
    """Unsigned samples of up to 16 bits as uint8 of the same shape."""
    return look_up(np.rint(np.linspace(0, 255, 1 << bits)).astype(np.uint8), samples)


def look_up(table: np.ndarray, places: np.ndarray) -> np.ndarray:
    """`table[places]`, some rows at a time: numpy makes places of eight bytes."""
    values = np.empty(places.shape + table.shape[1:], table.dtype)
    for band in bands(len(places), places[0].size):
        values[band] = table[places[band]]
    return values


def on_white(colour: np.ndarray, alpha: np.ndarray, associated: bool) -> np.ndarray:
    """Colours uint8 (H, W, C) on a white ground, by alpha uint8 (H, W, 1); associated: already multiplied with it."""
    result = np.empty_like(colour)
    for band in bands(len(colour), colour[0].size):
        opaque = alpha[band] / np.float32(255)
        shown = colour[band] * (np.float32(1) if associated else opaque)
        result[band] = np.rint(shown + 255 * (1 - opaque)).clip(0, 255)
    return result


def to_8_bit(values: np.ndarray) -> np.ndarray:
    """Integers of 32 bits, or floats, as uint8 of the same shape.

    A file does not say what white is in these: it is the smallest of 1 (floats), 255, 65,535 and the largest value
    that the type holds (integers) or that is there (floats), which no value exceeds. Floats up to 2 count as up to 1,
    and those a little below 0 as 0, since resizing overshoots.

    Raises:
        ValueError: values are far below 0.
    """
    floats = values.dtype.kind == "f"
    full_scales = (1, 255, 65535) if floats else (255, 65535, np.iinfo(values.dtype).max)
    values = values.astype(np.float32)
    if floats:
        np.nan_to_num(values, copy=False, nan=0, posinf=0, neginf=0)
        np.clip(values, -1e30, 1e30, out=values)
    lowest, highest = float(values.min()), float(values.max())
    full_scale = next((scale for scale in full_scales if highest <= scale * (2 if scale == 1 else 1)), highest)
    if lowest < -0.05 * full_scale:
        kind = FLOAT if floats else SIGNED
        raise refuse(339, kind, f"has values from {lowest:g}, so that black is unknown")
    values *= np.float32(255 / full_scale)
    return np.rint(values.clip(0, 255, out=values), out=values).astype(np.uint8)
