"""Where the seconds of feature extraction go, which tricks pay, and how far from the machine's limit it is.

usage: python benchmarks/extraction.py [--data DATA] [--weights W] [--photos N] [--repeats N] [--batches N ...]
                                       [--only steps tricks files] [--slow] [--device cpu|cuda]

steps: reading and hashing, decoding, resizing and normalising, on one thread. tricks: the network alone, plain and with
each trick, for each batch size. files: from files to features, with 0, 1 and more threads reading ahead, as maskkit
does (on the CPU a batch on each core), and from a uint8 cache of resized photos. The limit: the network's multiply-adds
at the rate of this machine's float32 matrix product. Every trick's outputs are compared with the plain network's.
Writes results/extraction.json and a figure; of CUDA, extraction-cuda.json.
"""

import argparse
import copy
import functools
import tempfile
from pathlib import Path

import measure
import torch

from maskkit import data, features, model, pretrained
from maskkit.core import parallel
from maskkit.improve import engines
from maskkit.sources import decoding, folders, listing

ALLOWED = 1e-4  # of the largest output, against the plain network


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="demo")
    parser.add_argument("--weights")
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="*", default=[8, 16, 32, 64])
    parser.add_argument("--only", nargs="*", default=["steps", "tricks", "files"])
    parser.add_argument("--slow", action="store_true", help="also what takes minutes: torch.compile, bf16 on the CPU")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    device, setting = model.device(given.device), measure.machine(given.device)
    arch, weights = ("resnet18", given.weights) if given.weights else ("mobilenet_v2", "packaged")
    network = model.build(pretrained.find(arch, weights), 2, seed=0)
    photos, one = listed(given.data, given.photos), torch.zeros(1, 3, 224, 224)
    limit = engines.count_multiply_adds(network, one) / matrix_rate(device)
    rows = []
    if "steps" in given.only:
        rows += steps(photos, given.repeats)
    if "tricks" in given.only:
        rows += tricks(network, arch, given, device)
    if "files" in given.only:
        rows += files(network, arch, photos, given.repeats, device)
    seconds = {row["name"]: row["median_seconds"] for row in rows}
    ratios = {
        f"{name} / machine's limit": value / limit
        for name, value in seconds.items()
        if name.startswith(("plain, batch 16", "in use, batch 16", "from files"))
    }
    title = f"One photo through {arch}, {setting['processors']} cores"
    measure.publish(
        measure.on(device, "extraction"),
        rows,
        ratios,
        title,
        limit_seconds=limit,
        arch=arch,
        unit="seconds of one photo",
        n=len(photos),
        setting=setting,
    )
    print(f"limit: {1000 * limit:.1f} ms a photo, multiply-adds at the rate of a matrix product")


def listed(given, n):
    """Up to n photos, half of each of the first two classes, as drawn from seed 0."""
    source = folders.find(given)
    classes = sorted(source.training.items())
    rows = [
        {"path": path, "label": label, "sha256": decoding.sha256(path)}
        for label, folder in classes[:2]
        for path in listing.list_photos(folder)[: n // 2]
    ]
    return data.Photos(rows, [label for label, _ in classes], model.Transform())


def matrix_rate(device, size=2048, times=5):
    """Multiply-adds a second of a square float32 matrix product, the best of some."""
    a, b = torch.randn(2, size, size, device=device)

    def product():
        (a @ b).sum().item()

    return size**3 / min(measure.in_turns({"product": product}, times)["product"])


def per_photo(ways, repeats, n):
    """Rows whose seconds are those of one photo of n."""
    found = measure.in_turns(ways, repeats)
    return [measure.row(name, [value / n for value in seconds]) for name, seconds in found.items()]


def steps(photos, repeats):
    """Before the network, one thread each."""
    images = [photos.image(index) for index in range(len(photos))]
    paths = [photos.path(index) for index in range(len(photos))]
    ways = {
        "step: read and hash": lambda: [decoding.sha256(path) for path in paths],
        "step: decode": lambda: [decoding.decode(path) for path in paths],
        "step: resize and normalise": lambda: [photos.transform(image) for image in images],
    }
    with parallel.torch_threads(1):
        return per_photo(ways, repeats, len(photos))


def tricks(network, arch, given, device):
    """The network alone, images already in memory."""
    images = torch.randn(max(given.batches), 3, 224, 224, generator=torch.Generator().manual_seed(0)).to(device)
    with tempfile.TemporaryDirectory() as folder:
        made = make_tricks(network.to(device), given.slow, device, Path(folder))
        rows = []
        for batch in given.batches:
            ways, apart = {}, {}
            for name, (run, layout) in made.items():
                own = images[:batch].contiguous(memory_format=layout)
                apart[f"{name}, batch {batch}"] = check(name, run, network, own)
                ways[f"{name}, batch {batch}"] = functools.partial(passed, run, own, device)
            rows += [row | {"apart": apart[row["name"]]} for row in per_photo(ways, given.repeats, batch)]
    return rows


def make_tricks(network, slow, device, folder):
    """{trick: (function of images, memory format of the images it takes)}."""
    plain, last = torch.contiguous_format, torch.channels_last
    in_use = model.for_inference(network)
    made = {
        "plain": (network, plain),
        "channels last": (copy.deepcopy(network).to(memory_format=last), last),
        "batch norm folded": (copy.deepcopy(in_use).to(memory_format=plain), plain),
        "in use": (in_use, last),  # both
    }
    if device.type == "cpu":
        made["ONNX Runtime"] = (
            engines.run_onnx(network, folder / "n.onnx", torch.get_num_threads(), 224),
            plain,
        )
    if slow:
        made["compiled"] = (torch.compile(network, dynamic=True, fullgraph=True), plain)
    if slow or device.type == "cuda":
        made["bf16"] = (functools.partial(bf16, in_use, device), last)
    return made


def bf16(network, device, images):
    with torch.autocast(device.type, torch.bfloat16):
        return network(images).float()


@torch.inference_mode()
def passed(run, images, device):
    run(images)
    if device.type == "cuda":
        torch.cuda.synchronize()


@torch.inference_mode()
def check(name, run, network, images):
    """How far a trick's outputs are from the plain network's, of the largest; RuntimeError where that is too far.

    bf16 has eight bits of mantissa, so how far it is says whether it may be taken at all.
    """
    wanted = network(images.contiguous())
    apart = ((run(images) - wanted).abs().max() / wanted.abs().max()).item()
    allowed = engines.CUDA_TOLERANCE if images.is_cuda else ALLOWED
    if name != "bf16" and apart > allowed:
        raise RuntimeError(f"{name}: outputs differ from the plain network's by {apart:.1e} of the largest")
    return apart


def files(network, arch, photos, repeats, device):
    """From files to features; the package's own loop with other numbers of reading threads."""
    backbone = model.Backbone(model.for_inference(network), arch).to(device)
    small = torch.stack([resized(photos.image(index)) for index in range(len(photos))])  # the uint8 cache

    def ahead(workers):
        taken = parallel.in_threads(lambda index: photos[index][0], range(len(photos)), workers)
        consume(taken)

    def consume(images):
        for batch in parallel.in_batches(images, features.BATCH[device.type]):
            features.pass_images(backbone, batch, device)

    mean, std = (torch.tensor(values)[:, None, None] for values in (photos.transform.mean, photos.transform.std))
    threads = sorted({1, 2, parallel.WORKERS})
    ways = {"from files, no thread ahead": lambda: consume(photos[index][0] for index in range(len(photos)))}
    ways |= {f"from files, {n} threads ahead": functools.partial(ahead, n) for n in threads}
    ways["from files, as maskkit does"] = lambda: list(features.passes(backbone, photos, range(len(photos)), device))
    ways["from a uint8 cache"] = lambda: consume((pixels / 255 - mean) / std for pixels in small)
    return per_photo(ways, repeats, len(photos))


def resized(image):
    """uint8 (3, 224, 224): what a cache of resized photos would hold, rounded to whole steps."""
    plain = model.Transform(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return (plain(image) * 255).round().clamp(0, 255).to(torch.uint8)


if __name__ == "__main__":
    main()
