"""The audit's figures that need the photos themselves, and the saving of all of them."""

import numpy as np
import torch
from PIL import Image

from maskkit import data, model, plots
from maskkit.audit import figures, regions, sections
from maskkit.audit.subject import choose
from maskkit.core import paths
from maskkit.core.cache import cached
from maskkit.sources import decoding

MAP_PHOTOS = 6
SHEET_PHOTOS = 24  # on the sheet of odd photos


def draw(result, subject, odd, elsewhere, out, device, seed):
    """figures/trust_*.png and .svg of an audit; `odd` is what `sections.odd_photos` found."""
    drawn = {
        "lights": figures.lights,
        "splits": figures.splits,
        "leaks": figures.leaks,
        "shortcuts": figures.shortcuts,
        "regions": figures.regions,
        "calibration": figures.calibration,
    }
    if result["against"]:
        drawn["against"] = figures.against
    for name, figure in drawn.items():
        keep(figure(result), out, name)
    draw_odd(odd, result["photos"], out)
    if subject.trained:
        draw_looks(subject, result["photos"], out, device, seed)
    if result["against"]:
        draw_against_mistakes(result, elsewhere[1], out)


def keep(fig, out, name):
    plots.save(fig, out, f"trust_{name}")
    plots.plt.close(fig)


def draw_odd(odd, photos, out):
    """A sheet of odd photos, some of each kind."""
    shown = [(row, sections.ODD[kind]) for kind, found in odd.items() for row, _ in found[:4]][:SHEET_PHOTOS]
    if shown:
        images = [None if "reason" in row else decoding.decode(row["path"]) for row, _ in shown]
        files, problems = [row["file"] for row, _ in shown], [problem for _, problem in shown]
        keep(figures.odd_files(images, files, problems, photos), out, "files")


def draw_looks(subject, photos, out, device, seed):
    """One photo in all its hidden versions; occlusion maps and Grad-CAM of some photos, mistakes first."""
    labels = subject.photos.labels
    places = subject.judged
    wrong = subject.net.logits(subject.net.X[places]).argmax(1) != labels[places]
    right = choose(places[~wrong], labels, MAP_PHOTOS, seed)
    picked = np.concatenate([choose(places[wrong], labels, MAP_PHOTOS // 2, seed), right])[:MAP_PHOTOS]
    dataset = data.Photos([subject.photos.rows[place] for place in picked], subject.photos.classes, model.Transform())
    images = [dataset.image(i) for i in range(len(dataset))]
    said, maps = subject.net.probabilities(subject.net.X[picked]), {}
    for net in (net for net in subject.nets.values() if net.network is not None):
        called = net.logits(net.X[picked]).argmax(1)
        inputs = torch.stack([net.transform(image) for image in images])
        maps[f"{net.arch}: occlusion"] = occlusion_once(net, inputs, called, device)
        maps[f"{net.arch}: Grad-CAM"] = regions.grad_cam(net.network, net.arch, inputs, called, device)
    keep(figures.maps(images, maps, labels[picked], said, subject.photos.classes, photos), out, "maps")
    first = dataset[0][0]
    hidden = {"whole": {"": shown(first)}}
    for region in regions.REGIONS:
        hidden[region] = {fill: shown(regions.hide(first, region, fill)) for fill in regions.FILLS}
    keep(figures.region_examples(hidden), out, "region_examples")


def occlusion_once(net, inputs, called, device):
    """`regions.occlusion`, read from the cache where the same network was asked about the same photos before."""
    head = [value.cpu().numpy() for value in net.head().state_dict().values()]
    asked = [net.arch, model.fingerprint(net.network, net.arch), *head, inputs.numpy(), called]
    found = cached(
        "occlusion",
        [regions.STRIDE, regions.PATCH, regions.PLACES, *asked],
        lambda: {"maps": regions.occlusion(net.network, inputs, called, device)},
        cache=paths.CACHE,
    )
    return found["maps"]


def shown(image):
    """A normalised tensor (3, H, W) as a PIL image."""
    transform = model.Transform()
    std, mean = (torch.tensor(values)[:, None, None] for values in (transform.std, transform.mean))
    pixels = (image * std + mean).clamp(0, 1) * 255
    return Image.fromarray(pixels.byte().permute(1, 2, 0).numpy())


def draw_against_mistakes(result, others, out):
    """The surest mistakes on the other source."""
    wrong = result["against"]["forward"]["mistakes"][:SHEET_PHOTOS]
    if not wrong:
        return
    rows = {row["file"]: row for row in others.rows}
    classes = result["classes"]
    images = [decoding.decode(rows[one["file"]]["path"]) for one in wrong]
    labels = [classes.index(one["label"]) for one in wrong]
    said = np.zeros((len(wrong), len(classes)))
    for row, one in zip(said, wrong, strict=True):
        row[:] = (1 - one["probability"]) / max(1, len(classes) - 1)
        row[classes.index(one["predicted"])] = one["probability"]
    words = result["against"]["forward"]["folder"]
    fig = plots.mistakes(images, labels, said, [one["file"] for one in wrong], classes, words, result["arch"])
    keep(fig, out, "against_mistakes")
