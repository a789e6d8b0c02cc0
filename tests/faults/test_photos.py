"""Odd and hostile files among good photos, each through prepare, audit and predict."""

import builtins
import io
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import zlib

import numpy as np
import pillow_heif
import pytest
from conftest import draw_photo, fill
from odd_files import tiff
from PIL import Image, ImageFile, ImageOps

from maskkit import conflicts, data, split
from maskkit.audit import survey
from maskkit.audit.checks import files
from maskkit.core import disk
from maskkit.deploy import photo_files, predict
from maskkit.deploy.classifier import Classifier
from maskkit.sources import decoding, folders
from maskkit.sources.decoding_error import DecodingError

pillow_heif.register_heif_opener()  # so that Pillow writes HEIC here

RED, SIZE = (255, 0, 0), (12, 8)


def fault(name, *values, id=None):
    return pytest.param(*values, id=id or name, marks=pytest.mark.fault("photos", name))


# --- three ways in ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("good") / "set", folders.REPORT_CLASSES, 10, size_px=16)


@pytest.fixture
def photos(good, tmp_path):
    """A folder of ten good photos a class."""
    folder = tmp_path / "photos"
    shutil.copytree(good, folder, copy_function=os.link)
    return folder


def prepare(folder, tmp_path):
    """{name: why it was refused, "" where it was taken} of the files that prepare saw."""
    rows, rejected = split.curate(folders.find(str(folder)), tmp_path / "run", per_class=0, split="random", seed=0)
    assert disk.read_csv(tmp_path / "run" / "rejected.csv") == rejected
    assert disk.read_csv(tmp_path / "run" / "split.csv") == rows
    assert data.read_split(tmp_path / "run")
    return {row["source"]: "" for row in rows} | {
        row["source"]: str(DecodingError(row["reason"], detail=row["detail"])) for row in rejected
    }


def audit(folder, tmp_path):
    photos = survey.read(survey.find_files(folders.find(str(folder))), cache=tmp_path / "cache")
    assert np.isfinite(photos.metadata).all() and np.isfinite(photos.sharpness).all()
    return {row["file"]: "" for row in photos.rows} | {row["file"]: row["reason"] for row in photos.broken}


def classify(folder, tmp_path):
    unsure = Classifier(("a", "b"), np.asarray, lambda images: np.full((len(images), 2), 0.5, np.float32), 4, {})
    files, _ = photo_files.find_files([str(folder)], None)
    rows = list(predict.predict(files, unsure))
    assert [row["file"] for row in rows] == files
    return {os.path.relpath(row["file"], folder): row["note"] for row in rows}


WAYS = (prepare, audit, classify)
three_ways = pytest.mark.parametrize("way", WAYS)


def snapshot(folder):
    """{path: (kind, content, time of change)} of all that lies below."""
    return {
        path: (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
        if not path.is_char_device()
    }


def outcome(way, folder, tmp_path, name):
    """Why `name`, a file of with_mask, was refused ("" where it was taken); everything else was taken."""
    before = snapshot(folder)
    found = way(folder, tmp_path)
    assert snapshot(folder) == before, "files of the user were changed"
    own = found.pop(f"with_mask/{name}")
    assert len(found) == 20 and not any(found.values())
    return own


# --- contents that are no photo -----------------------------------------------------------------


def encoded(image, format, **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks, width=8, height=8):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IEND", b"")


def text_bomb():
    """A PNG of 8 x 8 whose 70 text chunks unpack to 64 MB."""
    text = chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(1_000_000), 9))
    return png(*[text] * 70, chunk(b"IDAT", zlib.compress(bytes(9 * 8))))


def pixel_bomb():
    """A PNG that says 30,000 x 30,000 and holds the start of it."""
    return png(chunk(b"IDAT", zlib.compress(bytes(1_000_000), 9)), width=30_000, height=30_000)


NO_PHOTOS = [
    fault("zero bytes", b"", "the file is empty"),
    fault("truncated JPEG", encoded(draw_photo(0), "JPEG")[:400], "broken"),
    fault("truncated PNG", encoded(draw_photo(0), "PNG")[:400], "broken"),
    fault("truncated AVIF", encoded(draw_photo(0), "AVIF")[:400], "broken"),
    fault("truncated HEIC", encoded(draw_photo(0), "HEIF")[:700], "broken"),
    fault("truncated JPEG 2000", encoded(draw_photo(0), "JPEG2000")[:400], "broken"),
    fault("JPEG without its end", encoded(draw_photo(0), "JPEG")[:-2], "truncated"),
    fault("32-bit TIFF", encoded(draw_photo(0).convert("F"), "TIFF"), "BitsPerSample 32"),
    *(
        fault(f"{bits}-bit TIFF", tiff([bytes(768)], {256: 12, 257: 8, 258: bits, 262: 1}), f"BitsPerSample {bits}")
        for bits in (10, 12)
    ),
    fault("TIFF of an unknown layout", tiff([bytes(768)], {256: 12, 257: 8, 258: 64, 262: 1}), "BitsPerSample 64"),
    fault("text named .jpg", b"no photo, but words", "not a photo"),
    fault("HTML named .jpg", b"<!DOCTYPE html><html><body>404</body></html>", "not a photo"),
    fault("PDF named .jpg", encoded(draw_photo(0), "PDF"), "not a photo"),
    fault("30,000 x 30,000 bomb", pixel_bomb(), "900000000|over the limit"),
    fault("text-chunk bomb", text_bomb(), "text|[Dd]ecompressed"),
]


@three_ways
@pytest.mark.parametrize(("content", "reason"), NO_PHOTOS)
def test_files_that_are_not_images_are_excluded_with_their_reason(way, photos, tmp_path, content, reason):
    (photos / "with_mask" / "x.jpg").write_bytes(content)
    found = outcome(way, photos, tmp_path, "x.jpg")
    assert re.search(reason, found), found


# Run in a process of its own: memory above the imports while each file is refused.
PEAK = """
import sys
from maskkit import runs
from maskkit.audit import audit
from maskkit.deploy import photo_files, predict
from maskkit.sources import decoding
def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
before = peak()
for name in sys.argv[1:]:
    try:
        decoding.decode(name)
    except ValueError:
        print((peak() - before) // 1024)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux's own count of memory")
@pytest.mark.fault("photos", "30,000 x 30,000 bomb")
@pytest.mark.fault("photos", "text-chunk bomb")
def test_bombs_are_refused_in_bounded_memory(tmp_path):
    for name, content in (("pixels.png", pixel_bomb()), ("text.png", text_bomb())):
        (tmp_path / name).write_bytes(content)
    call = [sys.executable, "-c", PEAK, *map(str, sorted(tmp_path.iterdir()))]
    said = subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()
    assert len(said) == 2 and max(map(int, said)) < 100  # MiB; the pixels would be 858


# --- photos of odd kinds ------------------------------------------------------------------------


def frames(format):
    """A red photo that turns blue: an animation."""
    blue = Image.new("RGB", SIZE, (0, 0, 255))
    return encoded(Image.new("RGB", SIZE, RED), format, save_all=True, append_images=[blue, blue], duration=100)


def ycck():
    """Red as a JPEG of luma, chroma and black, which Pillow cannot write: its CMYK file with the mark of YCCK."""
    luma = Image.new("RGB", SIZE, (0, 255, 255)).convert("YCbCr").split()  # Adobe's are inverted: cyan is red
    inverted = Image.merge("CMYK", [*(ImageOps.invert(band) for band in luma), Image.new("L", SIZE, 0)])
    content = bytearray(encoded(inverted, "JPEG", quality=95))
    content[content.index(b"Adobe") + 11] = 2  # the Adobe segment's transform
    return bytes(content)


def mpo():
    """A red JPEG with a blue one behind it, as cameras with two lenses write them."""
    return encoded(PLAIN, "MPO", save_all=True, append_images=[Image.new("RGB", SIZE, (0, 0, 255))])


def grey(values, dtype):
    return Image.fromarray(np.linspace(0, values, 96).reshape(SIZE[::-1]).astype(dtype))


PLAIN = Image.new("RGB", SIZE, RED)
CLEAR = Image.new("RGBA", SIZE, (255, 0, 0, 0))
WHITE = (255, 255, 255)
PHOTOS = [
    fault("PNG named .jpg", "x.jpg", encoded(PLAIN, "PNG"), RED),
    fault("WEBP named .jpg", "x.jpg", encoded(PLAIN, "WEBP", lossless=True), RED),
    fault("odd suffix", "x.jpg_large", encoded(PLAIN, "PNG"), RED),
    fault("odd suffix", "x", encoded(PLAIN, "PNG"), RED, id="no suffix"),
    fault("odd suffix", "x.pdf", encoded(PLAIN, "PNG"), RED, id="suffix of another kind"),
    fault("animated GIF", "x.gif", frames("GIF"), RED),
    fault("animated PNG", "x.png", frames("PNG"), RED),
    fault("animated WEBP", "x.webp", frames("WEBP"), RED),
    fault("animated AVIF", "x.avif", frames("AVIF"), RED),
    fault("AVIF", "x.jpg", encoded(PLAIN, "AVIF", quality=95), RED),
    fault("HEIC", "IMG_1.HEIC", encoded(PLAIN, "HEIF", quality=95), RED),
    fault("HEIC", "x.jpg", encoded(PLAIN, "HEIF", quality=95), RED, id="HEIC named .jpg"),
    fault("JPEG 2000", "x.jp2", encoded(PLAIN, "JPEG2000"), RED),
    fault("JPEG 2000", "x.j2k", encoded(PLAIN, "JPEG2000", no_jp2=True), RED, id="JPEG 2000 without a container"),
    fault("two JPEGs in one file", "x.jpg", mpo(), RED),
    fault("CMYK JPEG", "x.jpg", encoded(PLAIN.convert("CMYK"), "JPEG"), RED),
    fault("YCCK JPEG", "x.jpg", ycck(), RED),
    fault("palette with transparency", "x.png", encoded(CLEAR.convert("P"), "PNG", transparency=0), WHITE),
    fault("palette with transparency", "x.gif", encoded(CLEAR, "GIF"), WHITE, id="GIF with transparency"),
    fault("RGBA", "x.png", encoded(CLEAR, "PNG"), WHITE),
    fault("LA", "x.png", encoded(CLEAR.convert("LA"), "PNG"), WHITE),
    fault("1-bit", "x.png", encoded(Image.new("1", SIZE, 1), "PNG"), WHITE),
    fault("1 x 1", "x.png", encoded(Image.new("RGB", (1, 1), RED), "PNG"), RED),
    fault("1 x 10,000", "x.png", encoded(Image.new("RGB", (1, 10_000), RED), "PNG"), RED),
    fault("1 x 10,000", "x.png", encoded(Image.new("RGB", (10_000, 1), RED), "PNG"), RED, id="10,000 x 1"),
]


@three_ways
@pytest.mark.parametrize(("name", "content", "colour"), PHOTOS)
def test_an_odd_photo_is_taken_once(way, photos, tmp_path, name, content, colour):
    (photos / "with_mask" / name).write_bytes(content)
    assert outcome(way, photos, tmp_path, name) == ""
    pixels = np.asarray(decoding.decode(photos / "with_mask" / name)).astype(int)
    assert np.abs(pixels - colour).max() <= 6


@pytest.mark.fault("photos", "16-bit PNG")
@three_ways
def test_deep_greys_are_scaled_not_clipped(way, photos, tmp_path):
    (photos / "with_mask" / "x.tif").write_bytes(encoded(grey(65535, np.uint16), "PNG"))
    assert outcome(way, photos, tmp_path, "x.tif") == ""
    pixels = np.asarray(decoding.decode(photos / "with_mask" / "x.tif"))[..., 0].ravel()
    assert np.abs(pixels - np.linspace(0, 255, 96)).max() <= 1


@pytest.mark.fault("photos", "turn in XMP alone")
@three_ways
def test_a_turn_that_only_xmp_tells_is_not_applied(way, photos, tmp_path):
    words = b'<rdf:Description tiff:Orientation="6"/>'
    (photos / "with_mask" / "x.jpg").write_bytes(encoded(PLAIN, "JPEG", xmp=words))
    assert outcome(way, photos, tmp_path, "x.jpg") == ""
    assert decoding.decode(photos / "with_mask" / "x.jpg").size == SIZE


@pytest.mark.fault("photos", "EXIF turns 2-8")
@three_ways
@pytest.mark.parametrize("turn", range(2, 9))
def test_exif_turns_are_applied(way, photos, tmp_path, turn):
    stored = Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12)).convert("RGB")
    exif = Image.Exif()
    exif[274] = turn
    (photos / "with_mask" / "x.png").write_bytes(encoded(stored, "PNG", exif=exif))
    assert outcome(way, photos, tmp_path, "x.png") == ""
    # What the EXIF standard says of row 0 and column 0, as numpy's own turns.
    upright = {
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }[turn]
    assert np.array_equal(np.asarray(decoding.decode(photos / "with_mask" / "x.png")), upright(np.asarray(stored)))


@pytest.mark.fault("photos", "same bytes in both classes")
def test_the_same_bytes_in_both_classes_never_validate_and_are_named(photos, tmp_path):
    shutil.copy(photos / "with_mask" / "000.png", photos / "without_mask" / "copy.png")
    rows, rejected = split.curate(folders.find(str(photos)), tmp_path / "run", per_class=0, split="grouped", seed=0)
    twins = [row for row in rows if row["source"] in ("with_mask/000.png", "without_mask/copy.png")]
    assert len({row["group"] for row in twins}) == 1 and [row["part"] for row in twins] == ["train", "train"]
    assert "in two classes or more with the same bytes: 1 photo;" in split.format_notes(
        rows, rejected, 0, conflicts.among(rows)
    )
    found = survey.read(survey.find_files(folders.find(str(photos))))
    odd = {row["file"] for row, _ in files.find_odd_files(found)["same_bytes_in_two_classes"]}
    assert odd == {"with_mask/000.png", "without_mask/copy.png"}


# --- whatever a parser stumbles over ------------------------------------------------------------

STUMBLES = (OSError, SyntaxError, EOFError, TypeError, AttributeError, KeyError, IndexError, ZeroDivisionError,
            OverflowError, struct.error, ValueError, Image.DecompressionBombError)  # fmt: skip


@pytest.mark.fault("photos", "exception inside Pillow")
@pytest.mark.parametrize("error", STUMBLES, ids=lambda error: error.__name__)
@three_ways
def test_a_photo_that_a_parser_stumbles_over_is_named(way, photos, tmp_path, monkeypatch, error):
    draw_photo(99, size_px=17).save(photos / "with_mask" / "odd.png")
    inner = ImageFile.ImageFile.load

    def stumble(image):
        if image.size == (17, 17):
            raise error("stumbled")
        return inner(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", stumble)
    found = way(photos, tmp_path)
    assert "stumbled" in found.pop("with_mask/odd.png") and not any(found.values())


# --- what is no file, or cannot be read ---------------------------------------------------------


@pytest.mark.fault("photos", "unreadable file")
@three_ways
def test_a_file_that_cannot_be_read_is_named(way, photos, tmp_path, monkeypatch):
    draw_photo(99).save(photos / "with_mask" / "locked.png")
    inner = builtins.open

    def refuse(path, *arguments, **options):
        if str(path).endswith("photos/with_mask/locked.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return inner(path, *arguments, **options)

    before = snapshot(photos)
    monkeypatch.setattr(builtins, "open", refuse)
    found = way(photos, tmp_path)
    monkeypatch.undo()
    assert snapshot(photos) == before
    assert "Permission denied" in found.pop("with_mask/locked.png") and not any(found.values())


def make_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is at most 107 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as own:
            own.bind(path.name)
    finally:
        os.chdir(here)


@three_ways
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        fault("FIFO", os.mkfifo, "neither a file nor a folder"),
        fault("socket", make_socket, "neither a file nor a folder"),
        fault("device", lambda path: path.symlink_to("/dev/zero"), "neither a file nor a folder"),
        fault("symlink loop", lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    ],
)
def test_what_would_never_end_is_not_opened(way, photos, tmp_path, make, reason):
    make(photos / "with_mask" / "x.png")
    assert reason in outcome(way, photos, tmp_path, "x.png")


@pytest.mark.fault("photos", "symlink loop")
@three_ways
def test_a_folder_that_leads_to_itself_gives_no_photo_twice(way, photos, tmp_path):
    (photos / "with_mask" / "again").symlink_to(photos / "with_mask")
    found = way(photos, tmp_path)
    assert len([name for name, reason in found.items() if not reason]) == 20


@pytest.mark.fault("photos", "symlink out of the folder")
@three_ways
def test_a_link_out_of_the_folder_is_a_photo_only_if_it_leads_to_one(way, photos, tmp_path):
    draw_photo(99).save(tmp_path / "outside.png")
    (photos / "with_mask" / "x.png").symlink_to(tmp_path / "outside.png")
    assert outcome(way, photos, tmp_path, "x.png") == ""
    (photos / "with_mask" / "x.png").unlink()
    (photos / "with_mask" / "x.png").symlink_to("/etc/passwd")
    reason = outcome(way, photos, tmp_path, "x.png")
    assert "not a photo" in reason and "root" not in reason
    assert not [path for path in tmp_path.rglob("data-mask/**/*") if path.is_symlink()]


@pytest.mark.fault("photos", "symlink out of the folder")
def test_a_folder_linked_into_a_class_is_named_and_not_entered(photos, tmp_path):
    (photos / "with_mask" / "more").symlink_to(photos / "without_mask")
    for way in (prepare, audit):  # predict knows no classes and enters it
        assert "a folder, or a link to one" in outcome(way, photos, tmp_path, "more")


# --- names --------------------------------------------------------------------------------------

NAMES = [
    fault("name with spaces", " a b .png"),
    fault("name with a newline", "a\nb\rc.png"),
    fault("right-to-left name", "שלום\u202egnp.png"),
    fault("emoji name", "😷👩🏽‍⚕️.png"),
    fault("name of non-UTF-8 bytes", os.fsdecode(b"\xff\xfe\x80.png")),
    fault("name of 255 characters", "x" * 251 + ".png"),
    fault("name with <script>", "<script>alert(1)<∕script>&\"'.png"),
]


@three_ways
@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_through(way, photos, tmp_path, name):
    draw_photo(99).save(photos / "with_mask" / "plain.png")
    (photos / "with_mask" / "plain.png").rename(photos / "with_mask" / name)
    assert outcome(way, photos, tmp_path, name) == ""


@three_ways
@pytest.mark.fault("photos", "name of 255 characters")
def test_a_long_name_below_a_long_folder_comes_through(way, photos, tmp_path):
    for folder in ("a" * 250, "b" * 250):
        (photos / "with_mask" / folder).mkdir()
        shutil.copy(photos / "with_mask" / "000.png", photos / "with_mask" / folder / ("x" * 251 + ".png"))
    assert not any(way(photos, tmp_path).values())


@pytest.mark.parametrize(
    "litter", [fault(name, name) for name in ("__MACOSX", ".DS_Store", ".ipynb_checkpoints", "Thumbs.db")]
)
@three_ways
def test_litter_is_passed_over(way, photos, tmp_path, litter):
    for place in (photos, photos / "with_mask"):
        if litter in (".DS_Store", "Thumbs.db"):
            (place / litter).write_bytes(b"litter")
        else:
            shutil.copytree(photos / "without_mask", place / litter)
    found = way(photos, tmp_path)
    assert len(found) == 20 and not any(found.values())
