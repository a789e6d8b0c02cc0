import numpy as np
import pillow_heif
import pytest
from conftest import draw_photo
from PIL import Image

from maskkit.audit import survey
from maskkit.sources import folders


@pytest.fixture
def read(photo_folder):
    return lambda: survey.read(survey.find_files(folders.find(str(photo_folder))))


def test_every_photo_is_measured_and_the_broken_are_listed(photo_folder, read):
    (photo_folder / "with_mask" / "text.jpg").write_text("no photo")
    (photo_folder / "with_mask" / "empty.png").touch()
    photos = read()
    assert len(photos) == 30 and photos.classes == ("with_mask", "without_mask")
    assert {row["file"]: row["reason"] for row in photos.broken}["with_mask/empty.png"] == "the file is empty"
    assert np.bincount(photos.labels).tolist() == [15, 15]
    assert photos.rows[0]["file"] == "with_mask/000.png" and photos.rows[0]["width"] == 48
    shapes = [a.shape for a in (photos.metadata, photos.sharpness, photos.small, photos.colours, photos.hog)]
    assert shapes == [(30, 9), (30, 5), (30, 32, 32, 3), (30, 512), (30, 1764)]
    assert photos.border.shape == (30, (32**2 - 28**2) * 3) and photos.thumbnail.shape == (30, 768)
    assert all(np.isfinite(a).all() for a in (photos.metadata, photos.sharpness, photos.colours, photos.hog))


def test_the_order_does_not_depend_on_workers(photo_folder, monkeypatch):
    files = survey.find_files(folders.find(str(photo_folder)))
    monkeypatch.setattr(survey.parallel, "WORKERS", 1)
    one = survey.read(files)
    monkeypatch.setattr(survey.parallel, "WORKERS", 5)
    many = survey.read(files)
    assert one.rows == many.rows and np.array_equal(one.hog, many.hog)


def test_the_12k_layout_has_parts(tmp_path):
    for part in ("Train", "Test"):
        for name in ("WithMask", "WithoutMask"):
            folder = tmp_path / "Face Mask Dataset" / part / name
            folder.mkdir(parents=True)
            draw_photo(hash((part, name)) % 1000).save(folder / "1.png")
    files = survey.find_files(folders.find(str(tmp_path)))
    assert [row["file"] for row in files][0] == "Test/WithMask/1.png"
    assert {row["part"] for row in files} == {"Train", "Test"} and files[0]["label"] == "with_mask"


@pytest.mark.parametrize("kept", [[], ["with_mask"]], ids=["no photo", "one class"])
def test_too_little_is_an_error(photo_folder, read, kept):
    for path in photo_folder.rglob("*.png"):
        if path.parent.name not in kept:
            path.write_text("no photo")
    with pytest.raises(ValueError, match=rf"{15 * len(kept)} of 30 files can be decoded.*with.*000.png"):
        read()


def test_a_class_without_a_photo_is_an_error(photo_folder, read):
    (photo_folder / "other").mkdir()
    (photo_folder / "other" / "readme.txt").write_text("no photo")
    with pytest.raises(ValueError, match=r"an audit needs photos of two classes or more, and of each class; .*readme"):
        read()


def test_a_border_sees_the_rim_and_no_middle():
    image = Image.new("RGB", (64, 64), "white")
    image.paste((0, 0, 0), (8, 8, 56, 56))
    pixels = np.asarray(image.resize((32, 32), Image.Resampling.BOX))[None]
    photos = survey.Survey(("a", "b"), [{}], [], *([None] * 2), pixels, None, None)
    assert photos.border.min() == 1.0 and photos.thumbnail.min() == 0.0


def test_turning_mirroring_and_stretching_keep_the_colours():
    photo = Image.effect_noise((64, 64), 60).convert("RGB").resize((96, 96))
    photo.paste((200, 30, 40), (30, 40, 70, 80))

    def colours(image):
        return survey.colour_histogram(np.asarray(image.resize((64, 64)), dtype=np.float32) / 255)

    own = colours(photo)
    assert own @ own == pytest.approx(1, abs=1e-5)
    for other in (photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), photo.rotate(10), photo.resize((140, 80))):
        assert own @ colours(other) > 0.95
    assert own @ colours(Image.new("RGB", (64, 64), "green")) < 0.5


def test_a_jpeg_s_head_tells_more_than_a_png_s(tmp_path):
    photo = draw_photo(0)
    photo.save(tmp_path / "a.jpg", quality=40, dpi=(300, 300))
    photo.save(tmp_path / "a.png")
    size, jpeg = survey.describe(tmp_path / "a.jpg")
    assert size == (48, 48) and jpeg[5] == 300 and jpeg[6] > 0
    assert survey.describe(tmp_path / "a.png")[1].tolist() == [1, 3, 0, 0, 0, 0, 0, 0, 0]


def test_what_was_read_once_is_not_read_again(photo_folder, tmp_path, monkeypatch):
    (photo_folder / "with_mask" / "text.jpg").write_text("no photo")
    files = survey.find_files(folders.find(str(photo_folder)))
    first = survey.read(files, cache=tmp_path / "cache")
    own_measure = survey.measure
    monkeypatch.setattr(survey, "measure", None)
    again = survey.read(files, cache=tmp_path / "cache")
    assert again.rows == first.rows and again.broken == first.broken and len(again.broken) == 1
    assert all(np.array_equal(getattr(again, name), getattr(first, name)) for name in survey.ARRAYS)
    monkeypatch.setattr(survey, "measure", own_measure)
    draw_photo(7).save(files[0]["path"])  # the same name, another photo
    changed = survey.read(files, cache=tmp_path / "cache")
    assert changed.rows[0]["sha256"] != first.rows[0]["sha256"] and changed.rows[1:] == first.rows[1:]


def test_a_damaged_copy_of_a_survey_is_named_and_made_anew(photo_folder, tmp_path):
    files = survey.find_files(folders.find(str(photo_folder)))
    first = survey.read(files, cache=tmp_path)
    (path,) = tmp_path.glob("survey-*.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is damaged"):
        again = survey.read(files, cache=tmp_path)
    assert again.rows == first.rows
    assert survey.read(files, cache=tmp_path).rows == first.rows  # written anew, and whole: no warning now


def test_every_kind_of_file_has_a_number_of_its_own(photo_folder, read):
    pillow_heif.register_heif_opener()
    kinds = {
        "jpg": "JPEG",
        "png": "PNG",
        "webp": "WEBP",
        "bmp": "BMP",
        "gif": "GIF",
        "tif": "TIFF",
        "avif": "AVIF",
        "heic": "HEIF",
        "jp2": "JPEG2000",
        "mpo": "MPO",
    }
    for suffix, format in kinds.items():
        draw_photo(5).save(photo_folder / "with_mask" / f"kind.{suffix}", format)
    photos = read()
    assert not photos.broken
    found = {
        row["file"].rpartition(".")[2]: line[0]
        for row, line in zip(photos.rows, photos.metadata, strict=True)
        if "kind" in row["file"]
    }
    assert found == {suffix: number % 9 for number, suffix in enumerate(kinds)}  # an MPO is a JPEG
