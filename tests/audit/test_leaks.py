"""The detectors on drawn faces of which other versions are made."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from maskkit.audit import leaks, survey
from maskkit.core.groups import components
from maskkit.sources import folders

CHANGES = {
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.rotate(12, Image.Resampling.BILINEAR, fillcolor=(90, 90, 90)),
    "stretched": lambda image: image.resize((image.width * 5 // 4, image.height)).crop((20, 0, 180, 160)),
    "cut": lambda image: image.crop((14, 10, 146, 142)),
    "moved and mirrored": lambda image: ImageOps.mirror(image.transform(image.size, 0, (1, 0.05, 12, 0, 1, -8))),
}


@pytest.fixture(scope="module")
def faces(demo_set, tmp_path_factory):
    """A folder of 40 drawn faces, and a version of the first of each class for each of CHANGES."""
    root = tmp_path_factory.mktemp("faces")
    for name in folders.REPORT_CLASSES:
        (root / name).mkdir()
        for index, path in enumerate(sorted((demo_set / name).glob("*"))[:20]):
            image = Image.open(path).convert("RGB").resize((160, 160))
            image.save(root / name / f"{index:02d}.png")
            if index == 0:
                for change, make in CHANGES.items():
                    make(image).save(root / name / f"00 {change}.png")
    return survey.read(survey.find_files(folders.find(str(root))))


@pytest.fixture(scope="module")
def usable(faces):
    return faces.column("deviation") >= leaks.FLAT


def aligned(small, colours, usable, features=None):
    """The pairs of `leaks.aligned_once`, without its cache."""
    return leaks.agreeing(small, leaks.candidates(colours, usable, features))


def family(faces, groups, name):
    """File names in the group of a class's first face."""
    files = [row["file"] for row in faces.rows]
    own = groups[files.index(f"{name}/00.png")]
    return {file for file, group in zip(files, groups, strict=True) if group == own}


def test_aligned_versions_are_found_and_nothing_else(faces, usable):
    groups = components(len(faces), aligned(faces.small, faces.colours, usable))
    for name in folders.REPORT_CLASSES:
        assert family(faces, groups, name) == {f"{name}/00.png"} | {f"{name}/00 {change}.png" for change in CHANGES}
    assert leaks.in_company(groups).sum() == 2 * (1 + len(CHANGES))


def test_photos_are_aligned_once(faces, usable, tmp_path, monkeypatch):
    few = faces.small[:20], faces.colours[:20], usable[:20]
    found = leaks.aligned_once(*few, cache=tmp_path)
    assert np.array_equal(found, aligned(*few)) and len(found)
    (path,) = tmp_path.iterdir()
    calls, compare = [], leaks.compare
    monkeypatch.setattr(leaks, "compare", lambda *given: calls.append(given) or compare(*given))
    assert np.array_equal(leaks.aligned_once(*few, cache=tmp_path), found) and not calls
    other = few[0].copy()
    other[0, 0, 0, 0] ^= 1
    leaks.aligned_once(other, *few[1:], cache=tmp_path)  # one pixel is another photo
    assert len(calls) == 1
    path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="aligned-.*computed again"):
        leaks.aligned_once(*few, cache=tmp_path)
    assert len(calls) == 2


def test_pairs_that_only_features_propose_are_aligned_by_themselves(faces, usable, tmp_path, monkeypatch):
    few = faces.small[:20], faces.colours[:20], usable[:20]
    features = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    leaks.aligned_once(*few, cache=tmp_path)
    calls, compare = [], leaks.compare
    monkeypatch.setattr(leaks, "compare", lambda *given: calls.append(given) or compare(*given))
    found = leaks.aligned_once(*few, features, cache=tmp_path)
    ((_, pairs),) = calls
    proposed = {tuple(pair) for pair in leaks.candidates(*few[1:]).tolist()}
    assert len(pairs) and not proposed & {tuple(pair) for pair in pairs.tolist()}
    assert np.array_equal(found, aligned(*few, features))


def test_the_perceptual_hash_finds_mirrored_copies_but_not_turned_ones(faces, usable):
    pairs = leaks.alike(faces.column("hash"), faces.column("hash_mirrored"), usable)
    groups = components(len(faces), pairs)
    assert family(faces, groups, "with_mask") == {"with_mask/00.png", "with_mask/00 mirrored.png"}


def test_features_propose_photos_in_another_light(faces, usable):
    """Darkened, a photo is no neighbour in colour; a backbone's features still propose it, and alignment agrees."""
    image = Image.fromarray(faces.small[0])
    dark = np.asarray(ImageEnhance.Brightness(image).enhance(0.35))
    small = np.concatenate([faces.small, dark[None]])
    colours = np.stack([survey.colour_histogram(pixels / np.float32(255)) for pixels in small])
    features = np.eye(len(small), dtype=np.float32)
    features[-1] = features[0] * 0.9
    everyone = np.append(usable, True)
    last = len(small) - 1
    assert [0, last] not in aligned(small, colours, everyone).tolist()
    assert [0, last] in aligned(small, colours, everyone, features).tolist()


def test_flat_photos_are_equal_only_by_their_bytes():
    small = np.zeros((4, 32, 32, 3), dtype=np.uint8)
    colours = np.stack([survey.colour_histogram(pixels / np.float32(255)) for pixels in small])
    assert not len(aligned(small, colours, np.zeros(4, dtype=bool)))
    assert leaks.exact(np.array(["a", "b", "a", "a"])).tolist() == [[0, 2], [0, 3]]


def test_hamming_distances_by_hand():
    hashes = np.array([0b0, 0b1111, 0b11111, 2**63], dtype=object)
    far = np.array([2**62 - 1] * 4, dtype=object)
    everyone = np.ones(4, dtype=bool)
    assert leaks.alike(hashes, far, everyone, 1).tolist() == [[0, 3], [1, 2]]
    assert leaks.alike(hashes, hashes, np.array([True, True, False, False]), 4).tolist() == [[0, 1]]


def test_groups_pairs_and_who_was_seen_before():
    groups = components(7, np.array([[0, 1], [1, 2]]), np.array([[4, 5]]))
    assert len(set(groups[:3])) == 1 and len(set(groups)) == 4
    parts = np.array(["train", "train", "val", "val", "train", "val", "val"])
    assert leaks.pairs_within(groups, parts, np.zeros(7)) == (4, 3, 0)
    seen = leaks.seen_before(groups, parts == "train")
    assert seen.tolist() == [False, False, True, False, False, True, False]
