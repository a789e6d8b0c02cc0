"""Leaks: photos that are versions of one photo, by equal bytes, similar appearance, or an affine map between them.

Three detectors, each returns a list of pairs; groups are the connected components. None of them reads a file's name.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from maskkit.core.cache import cached
from maskkit.core.progress import bar

ALIGNMENT = 3  # raise it if the same photos would be aligned differently: cached results are then not used

# Chosen on one half of the 12K set's originals, measured on the other half: benchmarks/leaks.py and its README.
# PROMISING and STAGES also on 2,200 copies made of synthetic and real photos: 42 are missed, as with one coarse stage
# of more blur, from which all above 0.75 went on, in half the time.
HASH_DISTANCE = 4  # bits of 64 in which the perceptual hashes of one photo may differ
NEIGHBOURS = 10  # by colour, of each photo; these are aligned
ALIKE = 0.8  # Hellinger affinity of colours below which two photos are not tried
PROMISING = 0.87  # correlation after each stage of the alignment below which a pair is given up
ALIGNED = 0.97  # correlation after the fine alignment from which two photos count as the same
SQUEEZED = 0.5  # smallest scale of a map that is tried the other way round: unlike photos agree if squeezed to a line
FLAT = 3.0  # grey levels: a photo with a smaller standard deviation has nothing to compare

BLOCK = 256  # photos compared with all others at once: 24 MB of 64-bit words for 12,000 photos
PAIRS = 256  # pairs aligned at once
# (what the side is divided by, sigma of the blur in pixels, steps): most pairs are given up before the last stage.
STAGES = ((2, 0.6, 10), (1, 1.0, 2), (1, 1.0, 6))
BACK = (1, 1.0, 8)  # the other way round


def exact(hashes: np.ndarray) -> np.ndarray:
    """Pairs int (m, 2) that join photos of equal sha256: each with the first of its kind."""
    _, first, kind = np.unique(hashes, return_index=True, return_inverse=True)
    return np.stack([first[kind], np.arange(len(kind))], 1)[first[kind] != np.arange(len(kind))]


def alike(hashes: np.ndarray, mirrored: np.ndarray, usable: np.ndarray, distance: int = HASH_DISTANCE) -> np.ndarray:
    """Pairs int (m, 2) whose perceptual hashes differ in at most `distance` bits, with or without mirroring one.

    Args:
        hashes, mirrored: int (n,) of 64 bits, of each photo and of its mirror image; usable: bool (n,).
    """
    plain, flipped = (np.asarray(values, dtype=np.uint64) for values in (hashes, mirrored))
    pairs = []
    places = np.flatnonzero(usable)
    for at in range(0, len(places), BLOCK):
        rows = places[at : at + BLOCK, None]
        plain_bits = np.bitwise_count(plain[rows] ^ plain[places])
        differ = np.minimum(plain_bits, np.bitwise_count(flipped[rows] ^ plain[places]))
        a, b = np.nonzero((differ <= distance) & (rows < places))
        pairs.append(np.stack([rows[a, 0], places[b]], 1))
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=int)


def aligned_once(
    small: np.ndarray, colours: np.ndarray, usable: np.ndarray, features: np.ndarray | None = None, *, cache: Path
) -> np.ndarray:
    """Pairs int (m, 2) of photos that an affine map makes alike, mirrored or not: `candidates` that are `agreeing`.

    From the cache's folder if the same pairs were aligned before. Pairs that colours propose are kept apart from those
    that only features do: they can be aligned without a network.
    """

    def find(pairs: np.ndarray) -> np.ndarray:
        inputs = [ALIGNMENT, PROMISING, ALIGNED, SQUEEZED, small, pairs]
        return cached("aligned", inputs, lambda: {"pairs": agreeing(small, pairs)}, cache=cache)["pairs"]

    by_colour = candidates(colours, usable)
    found = find(by_colour)
    if features is None:
        return found
    every = candidates(colours, usable, features)
    is_new = ~np.isin(every @ [len(small), 1], by_colour @ [len(small), 1])
    return np.unique(np.concatenate([found, find(every[is_new])]), axis=0)


def candidates(colours: np.ndarray, usable: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
    """Pairs int (m, 2), a < b, that may be versions of one photo.

    Neighbours in colour, which affine maps hardly change, and, if given, in backbone features, which change little with
    the light.

    Args:
        colours: float32 (n, d) of unit length; usable: bool (n,); features: float32 (n, d), a backbone's.
    """
    pairs = neighbours(colours, usable, NEIGHBOURS, ALIKE)
    if features is None:
        return pairs
    near = neighbours(directions(features), usable, NEIGHBOURS // 2, 0.0)
    return np.unique(np.concatenate([pairs, near]), axis=0)


def agreeing(small: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Those of the pairs int (m, 2) that count as one photo; small: as of `compare`."""
    compared, score = compare(small, pairs)
    return compared[score >= ALIGNED]


def compare(small: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well the photos of each pair agree, each pair by itself, aligned as it is and with one photo mirrored.

    Args:
        small: uint8 (n, px, px, 3); pairs: int (m, 2).

    Returns:
        pairs int (m, 2), a < b; correlation float32 (m,) in -1..1, the better one of both, of those that are PROMISING
        to the end.
    """
    if not len(pairs):
        return pairs, np.zeros(0, dtype=np.float32)
    tried = np.repeat(pairs, 2, axis=0)  # as it is, and with one photo mirrored
    flipped = np.tile([False, True], len(pairs))
    maps = torch.eye(2, 3).repeat(len(tried), 1, 1)
    for number, stage in enumerate(STAGES, 1):
        score, maps = align(small, tried, flipped, maps, stage, f"aligning {number}/{len(STAGES)}")
        kept = np.flatnonzero(score >= PROMISING)
        score, maps, tried, flipped = score[kept], maps[kept], tried[kept], flipped[kept]
    # Where the second photo is a part of the first, its map leads out of it, and the alignment may stop early; the
    # other way round it does not. Of 500 real photos cut by 4 to 16 %, 9 were missed without it, and 3 are with it.
    close = np.flatnonzero((score < ALIGNED) & is_sound(maps))
    back = inverse(maps[close], flipped[close])
    reverse, maps = align(small, tried[close][:, ::-1], flipped[close], back, BACK, "aligning back")
    score[close] = np.where(is_sound(maps), np.maximum(score[close], reverse), score[close])
    kept, place = np.unique(tried, axis=0, return_inverse=True)
    best = np.full(len(kept), -1, dtype=np.float32)
    np.maximum.at(best, place.ravel(), score)
    return kept, best


def is_sound(maps: torch.Tensor) -> np.ndarray:
    """bool (m,): which of the maps float32 (m, 2, 3) shrink a photo in no direction below SQUEEZED."""
    return (torch.linalg.svdvals(maps[:, :, :2])[:, 1] >= SQUEEZED).numpy()


def inverse(maps: torch.Tensor, flipped: np.ndarray) -> torch.Tensor:
    """The maps float32 (m, 2, 3) the other way round, from the first photos to the second.

    flipped: bool (m,), of which the photo that is moved is mirrored, before as after.
    """
    whole = torch.cat([maps, torch.tensor([0.0, 0.0, 1.0]).expand(len(maps), 1, 3)], 1)
    back = torch.linalg.inv(whole)[:, :2]
    mirrored = back * torch.tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0]])  # x negated before the map and after it
    return torch.where(torch.from_numpy(flipped)[:, None, None], mirrored, back)


def directions(features: np.ndarray) -> np.ndarray:
    """Centred features (n, d) of unit length: products are cosines."""
    centred = features - features.mean(0)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9)


def neighbours(vectors: np.ndarray, usable: np.ndarray, k: int, least: float) -> np.ndarray:
    """Pairs int (m, 2), a < b, of each usable photo and its k nearest by product, if that is at least `least`."""
    places = np.flatnonzero(usable)
    rows = torch.from_numpy(np.ascontiguousarray(vectors[places], dtype=np.float32))
    k = min(k, len(places) - 1)
    if k < 1:
        return np.zeros((0, 2), dtype=int)
    pairs = []
    for at in range(0, len(places), BLOCK):
        product = rows[at : at + BLOCK] @ rows.T
        product[torch.arange(len(product)), torch.arange(at, at + len(product))] = -torch.inf
        values, nearest = product.topk(k)
        a, b = torch.nonzero(values >= least, as_tuple=True)
        pairs.append(np.stack([places[at + a.numpy()], places[nearest[a, b].numpy()]], 1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


# --- alignment ----------------------------------------------------------------------------------


def standardise(small: np.ndarray, size_px: int) -> torch.Tensor:
    """Photos uint8 (n, px, px, 3) as float32 (n, 3, size_px, size_px).

    Mean 0 and deviation 1 before they are reduced, so that the light does not matter.
    """
    pixels = torch.from_numpy(np.asarray(small)).permute(0, 3, 1, 2).float() / 255
    pixels = (pixels - pixels.mean((1, 2, 3), keepdim=True)) / pixels.std((1, 2, 3), keepdim=True).clamp_min(1e-3)
    return nn.functional.avg_pool2d(pixels, pixels.shape[-1] // size_px)


@torch.inference_mode()
def align(
    small: np.ndarray,
    pairs: np.ndarray,
    flipped: np.ndarray,
    maps: torch.Tensor,
    stage: tuple[int, float, int],
    title: str,
) -> tuple[np.ndarray, torch.Tensor]:
    """Align the second photo of each pair with the first by an affine map, and measure how well they agree.

    Gauss-Newton on the squared difference (Baker & Matthews 2004, Lucas-Kanade 20 years on, IJCV 56:221-255), each
    pixel weighted by its difference, since augmentation leaves smeared borders.

    Args:
        small: uint8 (n, px, px, 3); pairs: int (m, 2); flipped: bool (m,), of the second.
        maps: float32 (m, 2, 3), where to start; stage: as those of STAGES; title: of the progress bar.

    Returns:
        correlation float32 (m,) in -1..1, of the colours where the photos overlap, mostly in the middle; the
        final maps.
    """
    divisor, sigma, steps = stage
    view = Grid(small.shape[1] // divisor)
    # Filled in place: small results of each chunk would lie between the large blocks that it frees, and the next chunk
    # would not fit there.
    scores, final = torch.empty(len(pairs)), maps.clone()
    chunks = range(0, len(pairs), PAIRS)
    for at in bar(chunks, desc=title, unit=f" x {PAIRS} pairs"):
        # Blurred chunk by chunk, each photo once: of all photos at once, each step would fill hundreds of megabytes.
        photos, place = np.unique(pairs[at : at + PAIRS], return_inverse=True)
        first, second = torch.from_numpy(place.reshape(-1, 2)).T
        level = blur(standardise(small[photos], view.size_px), sigma)
        mirror = torch.from_numpy(flipped[at : at + PAIRS])
        current = final[at : at + PAIRS]
        fixed = level.flatten(2)[first]
        moving = mirrored(torch.cat([level, *gradients(level)], 1)[second], mirror)
        for _ in range(steps):
            current -= step(view, fixed, moving, current)
        scores[at : at + PAIRS] = correlation(view, fixed, moving[:, :3], current)
    return scores.numpy(), final


class Grid:
    """The pixel grid in -1..1: points (1, px * px, 3) as (x, y, 1), their products, and a window on the middle."""

    def __init__(self, size_px: int) -> None:
        line = (torch.arange(size_px) + 0.5) / size_px * 2 - 1
        y, x = (axis.flatten() for axis in torch.meshgrid(line, line, indexing="ij"))
        self.size_px = size_px
        self.points = torch.stack([x, y, torch.ones_like(x)], -1)
        self.products = torch.stack([x * x, x * y, x, y * y, y, torch.ones_like(x)], -1)
        self.window = torch.exp(-(x**2 + y**2) / 0.9)

    def sample(self, moving: torch.Tensor, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The second photos after the maps, (m, channels, px * px), and which points lie inside them."""
        grid = (maps.flatten(0, 1) @ self.points.T).view(len(maps), 2, self.size_px, self.size_px).permute(0, 2, 3, 1)
        warped = nn.functional.grid_sample(moving, grid, padding_mode="border", align_corners=False)
        return warped.flatten(2), (grid.abs().amax(-1) < 1).flatten(1)


SYMMETRIC = torch.tensor([[0, 1, 2], [1, 3, 4], [2, 4, 5]])  # of Grid.products, as the matrix points x points


def step(view: Grid, fixed: torch.Tensor, moving: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """One Gauss-Newton step of the six numbers of each map, float32 (m, 2, 3)."""
    warped, inside = view.sample(moving, maps)
    difference, along_x, along_y = warped[:, :3] - fixed, warped[:, 3:6], warped[:, 6:]
    square = difference.square().sum(1)
    scale = 0.3 + (square * view.window).sum(1, keepdim=True) / view.window.sum()
    weight = view.window * inside / (1 + square / scale)
    pairs = ((along_x, along_x), (along_x, along_y), (along_y, along_y))
    xx, xy, yy = ((first * second).sum(1) * weight for first, second in pairs)
    xx, xy, yy = ((product @ view.products)[:, SYMMETRIC] for product in (xx, xy, yy))
    normal = torch.cat([torch.cat([xx, xy], 2), torch.cat([xy, yy], 2)], 1)
    damping = 1e-3 * normal.diagonal(dim1=1, dim2=2).mean(1) + 1e-6
    normal += damping[:, None, None] * torch.eye(6)
    downhill = torch.cat([((side * difference).sum(1) * weight) @ view.points for side in (along_x, along_y)], 1)
    change = torch.linalg.solve(normal, downhill)
    change *= 0.3 / change.abs().amax(1, keepdim=True).clamp_min(0.3)  # never more than 0.3 of half the photo
    return change.view(-1, 2, 3)


def correlation(view: Grid, fixed: torch.Tensor, moving: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """The correlation of both photos' colours where they overlap, (m,)."""
    warped, inside = view.sample(moving, maps)
    weight = (view.window * inside)[:, None]
    weight = weight / weight.sum(2, keepdim=True).clamp_min(1e-6)
    fixed, warped = (side - (side * weight).sum(2, keepdim=True) for side in (fixed, warped))
    products = ((fixed, warped), (fixed, fixed), (warped, warped))
    covariance, first, second = ((weight * a * b).sum((1, 2)) for a, b in products)
    return covariance / (first * second).sqrt().clamp_min(1e-6)


def mirrored(photos: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Photos with gradients (m, 3 or 9, px, px), those of `which` mirrored left to right, their x gradients negated."""
    photos = torch.where(which[:, None, None, None], photos.flip(3), photos)
    photos[which, 3:6] *= -1
    return photos


def blur(photos: torch.Tensor, sigma: float) -> torch.Tensor:
    """Apply a Gaussian of `sigma` pixels to photos (n, c, px, px)."""
    reach = round(3 * sigma)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(photos.shape[1], 1, 1, -1)
    padded = nn.functional.pad(photos, (reach,) * 4, mode="replicate")
    once = nn.functional.conv2d(padded, kernel, groups=photos.shape[1])
    return nn.functional.conv2d(once, kernel.transpose(2, 3), groups=photos.shape[1])


def gradients(photos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(d/dx, d/dy) of photos (n, c, px, px), per unit of a grid in -1..1."""
    padded = nn.functional.pad(photos, (1,) * 4, mode="replicate")
    half = photos.shape[-1] / 4
    along_x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) * half
    along_y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) * half
    return along_x, along_y


# --- groups -------------------------------------------------------------------------------------


def pairs_within(groups: np.ndarray, *columns: np.ndarray) -> tuple[int, ...]:
    """How many pairs of photos share a group, and then for each column how many of those differ in it.

    Args:
        groups: int (n,); columns: (n,) each, such as parts or classes.
    """
    total = count_pairs(groups)
    return total, *(total - count_pairs(groups, column) for column in columns)


def count_pairs(*columns: np.ndarray) -> int:
    """Pairs of rows that agree in every column."""
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in columns], 1)
    sizes = np.unique(codes, axis=0, return_counts=True)[1].astype(int)
    return int((sizes * (sizes - 1) // 2).sum())


def in_company(groups: np.ndarray) -> np.ndarray:
    """bool (n,): which photos share their group with another photo."""
    return np.bincount(groups)[groups] > 1


def seen_before(groups: np.ndarray, training: np.ndarray) -> np.ndarray:
    """bool (n,): which photos outside `training` (bool (n,)) have a version inside it."""
    return ~training & np.isin(groups, groups[training])
