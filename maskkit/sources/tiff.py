"""TIFF files: the usual layouts, which Pillow decodes right; all others are refused.

Pillow decodes some layouts wrong without an error (12 bits as 16, planes of 16 bits, white and black exchanged), so it
is given only those that were compared with another decoder (tests/sources/test_decoding.py).
"""

from typing import IO

from PIL import TiffImagePlugin, TiffTags

from maskkit.core.messages import translatable
from maskkit.sources.decoding_error import DecodingError

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")  # the last two are wrong, and Pillow reads them
WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6  # values of PhotometricInterpretation
MULTIPLIED, ALPHA = 1, 2  # values of ExtraSamples: alpha that colours were, or were not, multiplied with
LAYOUTS = {  # (PhotometricInterpretation, BitsPerSample, ExtraSamples)
    *((grey, (bits,), ()) for grey in (WHITE_IS_0, BLACK_IS_0) for bits in (1, 2, 4, 8)),
    (BLACK_IS_0, (16,), ()),
    *((RGB, (bits,) * 3, ()) for bits in (8, 16)),
    *((RGB, (bits,) * 4, extra) for bits in (8, 16) for extra in ((), (0,), (ALPHA,))),
    (RGB, (8,) * 4, (MULTIPLIED,)),
    (BLACK_IS_0, (8, 8), (ALPHA,)),
    *((PALETTE, (bits,), ()) for bits in (1, 2, 4, 8)),
    (CMYK, (8,) * 4, ()),
    (YCBCR, (8,) * 3, ()),
}
FAX, JPEG = (2, 3, 4), (6, 7)
PACKED = (5, 8, 32946, 34925, 50000)  # LZW, Deflate under two numbers, LZMA, Zstandard: those that take a Predictor
COMPRESSIONS = (1, 32773, *PACKED, *FAX, *JPEG)  # 32773: PackBits
JPEG_COEFFICIENTS = (0.299, 0.587, 0.114)  # of the tag YCbCrCoefficients
JPEG_RANGE = (0, 255, 128, 255, 128, 255)  # of the tag ReferenceBlackWhite
UNUSUAL = translatable("TIFF of this kind is not decoded here; save it as 8-bit TIFF or PNG")
NAMED = (262, 258, 277, 338, 339, 259, 317, 284, 266, 332)  # the tags of a layout, in messages


def open(file: IO[bytes]) -> TiffImagePlugin.TiffImageFile:
    """Open the first image of a TIFF (a binary file at its start), pixels not yet decoded.

    Raises:
        DecodingError: its layout is not a usual one; the detail holds the tags that describe it.
        SyntaxError, OSError, TypeError, and others of `decoding.BROKEN`: the file is damaged.
    """
    head = file.read(8)
    if head.startswith(b"MM\0+"):
        raise DecodingError(UNUSUAL, detail="BigTIFF in byte order MM")
    head += file.read(8) if head[2] == 43 else b""
    tags = TiffImagePlugin.ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    check(tags)
    file.seek(0)
    return TiffImagePlugin.TiffImageFile(file)


def check(tags: TiffImagePlugin.ImageFileDirectory_v2) -> None:
    """Raise DecodingError where Pillow is not known to decode an image with these tags right."""

    def values(tag: int, default: tuple = (1,)) -> tuple:
        found = tags.get(tag, default)
        return tuple(found) if isinstance(found, tuple | list) else (found,)

    photometric, compression, bits = values(262, (None,))[0], values(259)[0], values(258)
    usual = (
        (photometric, bits, values(338, ())) in LAYOUTS
        and values(277, (len(bits),)) == (len(bits),)  # SamplesPerPixel
        and set(values(339)) == {1}  # SampleFormat: unsigned
        and (len(bits) == 1 or values(284) == (1,))  # PlanarConfiguration: a pixel's samples side by side
        and compression in COMPRESSIONS
        and (values(266) == (1,) or compression in FAX)  # FillOrder
        and (compression not in PACKED or values(317) == (1,) or values(317) == (2,) and bits[0] >= 8)  # Predictor
        and (compression not in FAX or bits == (1,))
        and (compression not in JPEG or photometric in (BLACK_IS_0, RGB, YCBCR) and bits in ((8,), (8, 8, 8)))
        and (photometric != PALETTE or len(values(320)) == 3 << bits[0] and max(values(320)) > 255)  # ColorMap
        and (photometric != CMYK or values(332) == (1,))  # InkSet
    )
    if usual and photometric == YCBCR:  # as in JPEG files
        usual = compression in JPEG and all(
            len(found := values(tag, wanted)) == len(wanted)
            and all(abs(float(a) - b) <= within for a, b in zip(found, wanted, strict=True))
            for tag, wanted, within in ((529, JPEG_COEFFICIENTS, 1e-3), (532, JPEG_RANGE, 1))
        )
    if not usual:
        words = (f"{TiffTags.lookup(tag).name} {' '.join(map(str, values(tag)))}" for tag in NAMED if tag in tags)
        raise DecodingError(UNUSUAL, detail=", ".join(words))
