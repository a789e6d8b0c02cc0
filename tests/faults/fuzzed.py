"""Mutated encodings of photos, and the process that reads them: `python -m faults.fuzzed` takes paths, a line each.

It answers each path with a line of JSON: how `decoding.decode`, the audit and predict took the file. One photo may take
LIMIT seconds of processor time in each, after which the kernel ends the process; a busy machine does not count.
"""

import io
import json
import random
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pillow_heif
from PIL import Image

LIMIT = 2  # seconds of processor time for one file in one of the three ways
WAIT = 120  # seconds for an answer of any kind: a read that would never end uses no processor
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\xff\xff", b"\xff\xff\0\0", b"\x80\0\0\0")


def encodings():
    """Small photos in every format and mode that is read, with the chunks that real files carry, as bytes."""
    rgb = Image.effect_mandelbrot((24, 16), (-2, -1, 1, 1), 40).convert("RGB")
    exif = Image.Exif()
    exif[274], exif[305] = 6, "a camera"
    turn = exif.tobytes()  # so pillow-heif puts it into the container
    pillow_heif.register_heif_opener()
    few = {"save_all": True, "append_images": [rgb.rotate(180)], "duration": 50}
    wanted = [
        (rgb, "JPEG", {"exif": exif, "dpi": (72, 72), "comment": b"words"}),
        (rgb, "JPEG", {"progressive": True}),
        (rgb.convert("L"), "JPEG", {}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb, "PNG", {"exif": exif, "dpi": (72, 72)}),
        (rgb.convert("RGBA"), "PNG", {}),
        (rgb.convert("LA"), "PNG", {}),
        (rgb.convert("P"), "PNG", {"transparency": 3}),
        (rgb.convert("1"), "PNG", {}),
        (rgb.convert("L").convert("I;16"), "PNG", {}),
        (rgb, "PNG", few),
        (rgb, "WEBP", {"exif": exif}),
        (rgb.convert("RGBA"), "WEBP", {"lossless": True}),
        (rgb, "WEBP", few),
        (rgb, "GIF", few),
        (rgb.convert("P"), "GIF", {"transparency": 3}),
        (rgb, "BMP", {}),
        (rgb.convert("P"), "BMP", {}),
        (rgb, "TIFF", {"exif": exif}),
        (rgb.convert("L").convert("I;16"), "TIFF", {}),
        (rgb.convert("LA"), "TIFF", {}),
        (rgb.convert("P"), "TIFF", {"compression": "packbits"}),
        (rgb, "TIFF", {"compression": "tiff_lzw"}),
        (rgb, "TIFF", {"compression": "tiff_adobe_deflate"}),
        (rgb, "TIFF", {"compression": "jpeg"}),
        (rgb.convert("1"), "TIFF", {"compression": "group4"}),
    ]
    wanted += [
        (rgb, "AVIF", {"exif": exif}),
        (rgb.convert("L"), "AVIF", {}),
        (rgb.convert("RGBA"), "AVIF", {}),
        (rgb, "AVIF", few),
        (rgb, "HEIF", {"exif": turn}),
        (rgb.convert("L"), "HEIF", {}),
        (rgb.convert("RGBA"), "HEIF", {}),
        (rgb, "HEIF", few),
        (rgb, "JPEG2000", {}),
        (rgb.convert("RGBA"), "JPEG2000", {"no_jp2": True}),
        (rgb.convert("L").convert("I;16"), "JPEG2000", {}),
        (rgb.convert("L"), "JPEG2000", {"tile_size": (8, 8), "irreversible": True}),
    ]
    return [encode(image, format, options) for image, format, options in wanted]


def encode(image, format, options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def mutate(contents, seed, n):
    """One of the contents after n changes drawn by seed, half of them in its head, where the sizes stand."""
    chance = random.Random(seed)
    content = bytearray(chance.choice(contents))
    for _ in range(n):
        end = len(content) if chance.random() < 0.5 else min(len(content), 120)
        at, length = chance.randrange(end + 1), chance.choice((1, 2, 4, 16, 64))
        content[at : at + length] = chance.choice(
            (
                chance.randbytes(length),
                bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 : at + length] if at < end else b"",
                chance.choice(EXTREMES)[:length],
                b"",
                bytes(content[at : at + length]) * chance.choice((2, 50)),
                chance.choice(contents)[at : at + length],
            )
        )
        if chance.random() < 0.1:
            del content[chance.randrange(len(content) + 1) :]
    return repaired(content) if chance.random() < 0.5 else bytes(content)


def repaired(content):
    """A PNG with each chunk's checksum made right again, so that damage passes the first gate; others as they are."""
    at = 8
    while content.startswith(b"\x89PNG") and at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        content[end : end + 4] = zlib.crc32(content[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(content)


class Reader:
    """The process that reads; a new one takes the place of one that died."""

    def __init__(self):
        self.process = None

    def read(self, path):
        """The answer for one file, {"memory": MiB above the imports so far, way: None or the reason}.

        Raises:
            AssertionError: the process died of the file, or gave no answer.
        """
        if self.process is None:
            command = [sys.executable, "-m", "faults.fuzzed"]
            self.process = subprocess.Popen(
                command,
                cwd=Path(__file__).parents[1],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libtiff's many complaints
            )
        timer = threading.Timer(WAIT, self.process.kill)
        timer.start()
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            code, self.process = self.process.wait(), None
            raise AssertionError(f"{path} ended its reader with {code} (-27: over {LIMIT} s of processor time)")
        return json.loads(line)

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


def main():
    from maskkit.audit import survey
    from maskkit.deploy import photo_files
    from maskkit.sources import decoding

    def peak():
        with open("/proc/self/status") as file:
            return int(next(line.split()[1] for line in file if line.startswith("VmHWM")))

    survey.measure(Path(sys.argv[0]))  # whatever is imported at the first use
    before = peak()
    for line in sys.stdin:
        path, answer = Path(line.rstrip("\n")), {}
        for name, way in (("prepare", decoding.decode), ("predict", photo_files.read_photo), ("audit", survey.measure)):
            signal.setitimer(signal.ITIMER_PROF, LIMIT)  # its signal ends the process, inside a decoder too
            try:
                found = way(path)
                answer[name] = found[0] if name == "audit" and found[1] is None else None
            except ValueError as error:
                answer[name] = str(error)
            signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(answer | {"memory": (peak() - before) // 1024}), flush=True)


if __name__ == "__main__":
    main()
