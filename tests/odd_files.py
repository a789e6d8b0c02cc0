"""Photos written byte by byte, in kinds that Pillow does not write: TIFF by its tags, PNG by its chunks."""

import struct
import zlib

import numpy as np


def tiff(strips, tags, order="<"):
    """A TIFF of strips of bytes with these tags, {number: value or tuple of values}, those of the strips added."""
    lengths = tuple(map(len, strips))
    entries = tags | {273: (0,) * len(strips), 279: lengths}
    place = 8 + 2 + 12 * len(entries) + 4  # of what is too long for its entry, and then of the strips
    start = place + sum(len(body) for *_, body in (field(order, *entry) for entry in entries.items()) if len(body) > 4)
    entries[273] = tuple(start + sum(lengths[:i]) for i in range(len(strips)))
    listed, outside = b"", b""
    for number, kind, n, body in sorted(field(order, *entry) for entry in entries.items()):
        if len(body) > 4:
            body, outside = struct.pack(f"{order}I", place + len(outside)), outside + body
        listed += struct.pack(f"{order}HHI", number, kind, n) + body.ljust(4, b"\0")
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HIH", 42, 8, len(entries))
    return head + listed + bytes(4) + outside + b"".join(strips)


def field(order, number, value):
    """(number, type, count, bytes) of a tag: SHORT, or LONG for places and lengths."""
    values = value if isinstance(value, tuple) else (value,)
    letter = "I" if number in (273, 279) else "H"
    return number, 4 if letter == "I" else 3, len(values), struct.pack(f"{order}{len(values)}{letter}", *values)


def lzw(data):
    """Bytes as TIFF's LZW: each for itself, the table cleared before its codes need a tenth bit."""
    codes = [code for at in range(0, len(data), 200) for code in (256, *data[at : at + 200])] + [257]
    bits = "".join(f"{code:09b}" for code in codes)
    return bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))


def pack_bits(data):
    """Bytes as TIFF's PackBits: runs of up to 128 bytes, none repeated."""
    return b"".join(bytes([len(data[at : at + 128]) - 1]) + data[at : at + 128] for at in range(0, len(data), 128))


def packed(values, bits):
    """Integers (H, n) as rows of so many bits each, high bits first, every row a whole number of bytes."""
    ones = values.astype(np.int64)[..., np.newaxis] >> np.arange(bits)[::-1] & 1
    return np.packbits(ones.astype(np.uint8).reshape(len(values), -1), axis=1).tobytes()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(values, bits, colour, *chunks):
    """A PNG of integers (H, W, channels) of so many bits; `chunks` precede the pixels."""
    height, width, _ = values.shape
    rows = np.frombuffer(packed(values.reshape(height, -1), bits), np.uint8).reshape(height, -1)
    content = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # filter 0 before each row
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = b"".join(chunks) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body
