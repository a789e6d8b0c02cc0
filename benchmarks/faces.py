"""The face finder: milliseconds a picture, faces found and right in composed scenes, labels in pictures without a face.

usage: python benchmarks/faces.py                                         speed
       python benchmarks/faces.py --no-face N [--photos FOLDER [--except FILE]]    pictures without a face
       python benchmarks/faces.py --scenes FOLDER --model RUN [--n N] [--margins 0,0.15]    and each face alone, reduced

Speed is measured in a scene of synthetic faces. FOLDER has the sub-folders with_mask and without_mask, photos of mostly
one person each. Faces are located in each photo alone, searched at five sizes; the photos are then reduced, so that the
face has 24 to 150 px, and pasted into pictures of 640 x 480. A face is found where its box overlaps the known one by
0.4 (intersection over union), and right where the model then gives the photo's class. A face that no size finds is
not in the scenes. Then each face is cropped alone with its known box and each margin, from its photo reduced and
blurred as REDUCED says. Each writes its part of results/faces.json.

Pictures without a face are N drawn ones, 20 photographs of scikit-image and scikit-learn, whole and in 29 crops each,
and those of FOLDER, without the names listed in FILE. Of https://github.com/EliSchwartz/imagenet-sample-images,
imagenet_people.txt lists the pictures that show a person, or a picture or figure of one.
"""

import argparse
import contextlib
import functools
import importlib.util
import json
import math
import statistics
import time
from pathlib import Path

import measure
import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFilter
from planting import versions

from maskkit import runs
from maskkit.core import disk, intervals
from maskkit.deploy import classifier
from maskkit.sources import decoding, face_crops, face_drawing, face_finder

SIZE = 640, 480
FACE_PX = 24, 150  # longer side of a face in a scene, drawn evenly on a logarithmic scale
BANDS = (40, 80, 1000)  # faces below so many pixels are counted apart
FOUND = 0.4  # intersection over union
LOCATE_PX = 96, 128, 192, 256, 384  # longer side of a photo in which its face is located
REDUCED = ((40, 0, 90), (28, 0, 90), (28, 1, 50), (50, 2, 50))  # longer side of a face, blur, px; JPEG quality


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-face", type=int, metavar="N", help="label N pictures without a face")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="with --no-face: more pictures without a face")
    parser.add_argument("--except", dest="omitted", type=Path, metavar="FILE", help="names in FOLDER to leave out")
    parser.add_argument("--scenes", type=Path, metavar="FOLDER", help="find and judge the faces of N scenes")
    parser.add_argument("--model", metavar="RUN")
    parser.add_argument("--margins", default="-0.1,-0.05,0,0.05,0.1")
    parser.add_argument("--n", type=int, default=100)
    given, find = parser.parse_args(), face_finder.load()
    about = {"min_score": face_finder.MIN_SCORE, "onnxruntime": onnxruntime.__version__, "setting": measure.machine()}
    if given.no_face:
        publish("without_a_face", {"drawn": label_drawn(find, given.no_face)} | about)
        publish("photographs_without_a_face", label_photos(find, given.photos, given.omitted) | about)
    elif given.scenes:
        model = classifier.from_run(runs.find(given.model), "cpu")
        margins = [float(margin) for margin in given.margins.split(",")]
        photos = locate_all(given.scenes)
        publish("scenes", score_scenes(find, model, photos, given.n, margins) | about)
        publish("reduced", score_reduced(model, photos, margins) | about)
    else:
        publish("speed", speed(find) | about)


def publish(part, content):
    """Put one part into results/faces.json; the other parts stay."""
    path = measure.RESULTS / "faces.json"
    earlier = json.loads(path.read_text()) if path.exists() else {}
    disk.write_json(path, earlier | {part: content})


def speed(find):
    """Seconds by the clock, and of all processors together: the second says more on a busy machine."""
    scene = draw_street()
    sizes = (320, 240), SIZE, (1280, 720), (1920, 1080), (4000, 3000)
    processor = {f"find, {width} x {height}": [] for width, height in sizes}
    ways = {
        name: functools.partial(count_processor, find, scene.resize(size), processor[name])
        for name, size in zip(processor, sizes, strict=True)
    }
    rows = [
        measure.row(name, seconds, processor_seconds=statistics.median(processor[name][1:]))  # the first was to warm up
        for name, seconds in measure.in_turns(ways, 11).items()
    ]
    measure.print_table(rows, {})
    for row in rows:
        print(f"{row['name']}: {1000 * row['processor_seconds']:.0f} ms of processor time")
    return {"rows": rows}


def count_processor(find, picture, seconds):
    """Find the faces of a picture, and note the processor time that it took."""
    start = time.process_time()
    find(picture)
    seconds.append(time.process_time() - start)


# --- pictures without a face ----------------------------------------------------------------------


def label_drawn(find, n):
    """How many of n drawn pictures get a box, by kind."""
    counts = {}
    for seed in range(n):
        kind, draw = list(KINDS.items())[seed % len(KINDS)]
        chance = np.random.default_rng(seed)
        size = [(640, 480), (320, 240), (1024, 768), (200, 200)][seed // len(KINDS) % 4]
        count_label(counts, kind, find(draw(chance, *size)))
    return print_labelled("drawn pictures", counts)


def label_photos(find, folder, omitted):
    """How many packaged photographs and their crops, and pictures of a folder, get a box."""
    crops, more = {}, {}
    for name, photo in packaged_photos():
        for crop in crops_of(photo, np.random.default_rng(sum(map(ord, name)))):
            count_label(crops, name, find(crop))
    left_out = set(omitted.read_text().split()) if omitted else set()
    for path in sorted(folder.iterdir()) if folder else ():
        with contextlib.suppress(ValueError):  # no picture
            if path.name not in left_out:
                count_label(more, "all", find(decoding.decode(path)))
    packaged = {"packaged": print_labelled("packaged photographs and crops", crops)}
    return packaged | ({"folder": print_labelled(f"pictures of {folder.name}", more)} if folder else {})


def count_label(counts, kind, faces):
    """Count a picture, and whether it has a box."""
    entry = counts.setdefault(kind, {"pictures": 0, "labelled": 0, "scores": []})
    entry["pictures"] += 1
    if faces:
        entry["labelled"] += 1
        entry["scores"].append(round(max(face.score for face in faces), 3))


def print_labelled(what, counts):
    n, labelled = (sum(entry[key] for entry in counts.values()) for key in ("pictures", "labelled"))
    interval = intervals.wilson(labelled, n)
    print(f"{labelled} of {n} {what} without a face get a label (95 % interval {interval[0]:.2%} to {interval[1]:.2%})")
    for kind, entry in counts.items():
        print(f"  {kind}: {entry['labelled']} of {entry['pictures']} {sorted(entry['scores'])}")
    return {"pictures": n, "labelled": labelled, "interval": interval, "kinds": counts}


def packaged_photos():
    """(name, photograph without a human face) of those inside scikit-image and scikit-learn."""
    for package, folder, names in PACKAGED:
        below = Path(importlib.util.find_spec(package).submodule_search_locations[0]) / folder
        for name in names.split():
            yield name, decoding.decode(below / name)


def crops_of(photo, chance, n=30):
    """The photograph, and crops of an eighth of its sides up to all of them."""
    yield photo
    for _ in range(n - 1):
        share = math.exp(chance.uniform(math.log(1 / 8), 0))
        width, height = (min(side, max(48, round(side * share))) for side in photo.size)
        left, top = (
            int(chance.integers(0, whole - part + 1)) for whole, part in zip(photo.size, (width, height), strict=True)
        )
        yield photo.crop((left, top, left + width, top + height))


PACKAGED = (  # not among them: astronaut, camera, lfw and coins, which show faces
    (
        "skimage",
        "data",
        "coffee.png clock_motion.png color.png gravel.png brick.png grass.png motorcycle_left.png motorcycle_right.png "
        "hubble_deep_field.jpg moon.png retina.jpg ihc.png cell.png rocket.jpg chelsea.png page.png text.png logo.png",
    ),
    ("sklearn", "datasets/images", "china.jpg flower.jpg"),
)


def clouds(chance, width, height, octaves=(2, 4, 8, 16, 32, 64)):
    """Coloured noise of several scales, 0..1, (height, width, 3)."""
    total = np.zeros((height, width, 3))
    for cells in octaves:
        noise = (255 * chance.random((cells, cells, 3))).astype(np.uint8)
        total += np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC), float) / cells
    return (total - total.min()) / (np.ptp(total) or 1)


def to_image(values):
    return Image.fromarray((255 * values.clip(0, 1)).astype(np.uint8))


def draw_noise(chance, width, height):
    return to_image(0.5 + chance.uniform(0.02, 0.5) * chance.normal(size=(height, width, 3)))


def draw_clouds(chance, width, height):
    return to_image(clouds(chance, width, height))


def draw_landscape(chance, width, height):
    """Sky, hills one behind the other, some trees."""
    values = 0.6 + 0.4 * clouds(chance, width, height, (2, 4, 8))
    x = np.linspace(0, 1, width)
    for depth in range(4):
        ridge = (
            0.35
            + 0.15 * depth
            + sum(
                chance.uniform(0, 0.1) / wave * np.sin(wave * 6 * x + chance.uniform(0, 6)) for wave in (1, 2, 3, 5, 9)
            )
        )
        below = np.linspace(0, 1, height)[:, None] > ridge
        values[below] = (chance.uniform(0.1, 0.6, 3) * (0.7 + 0.3 * clouds(chance, width, height)))[below]
    image = to_image(values)
    canvas = ImageDraw.Draw(image)
    for _ in range(chance.integers(0, 12)):
        left, top, size = chance.integers(0, width), chance.integers(height // 3, height), chance.integers(8, 60)
        canvas.rectangle((left - 2, top, left + 2, top + size), fill=(70, 50, 30))
        canvas.ellipse(
            (left - size / 2, top - size, left + size / 2, top), fill=(30, int(chance.integers(60, 130)), 40)
        )
    return image


def draw_objects(chance, width, height):
    """Discs, boxes and lines, as plates, windows, wheels and lamps are; no two in a disc, which could be eyes."""
    image = to_image(0.3 + 0.6 * clouds(chance, width, height, (2, 3)))
    canvas = ImageDraw.Draw(image)
    for _ in range(chance.integers(5, 40)):
        left, top = chance.integers(0, width), chance.integers(0, height)
        across, down = chance.integers(5, width // 3, 2)
        colour = tuple(int(part) for part in chance.integers(0, 256, 3))
        shape = [canvas.rectangle, canvas.ellipse, canvas.rounded_rectangle][chance.integers(3)]
        extra = {"radius": 8} if shape == canvas.rounded_rectangle else {}
        shape((left, top, left + across, top + down), fill=colour, outline=(20, 20, 20), **extra)
    return image.filter(ImageFilter.GaussianBlur(float(chance.uniform(0, 2))))


def draw_houses(chance, width, height):
    """A row of houses with windows, and a road."""
    image = to_image(0.7 + 0.3 * clouds(chance, width, height, (2, 4)))
    canvas = ImageDraw.Draw(image)
    left = 0
    while left < width:
        across, top = int(chance.integers(40, 200)), int(chance.integers(20, height // 2))
        canvas.rectangle((left, top, left + across, height), fill=tuple(map(int, chance.integers(60, 230, 3))))
        step = int(chance.integers(18, 50))
        for x in range(left + step // 3, left + across - step // 2, step):
            for y in range(top + step // 3, height - step, step):
                shade = int(chance.integers(20, 220))
                canvas.rectangle((x, y, x + step // 2, y + step // 2), fill=(shade, shade, min(255, shade + 30)))
        left += across
    canvas.rectangle((0, height * 5 // 6, width, height), fill=(90, 90, 95))
    return image


def draw_stripes(chance, width, height):
    """Waves, stripes and checks, as fabrics have them."""
    y, x = np.mgrid[:height, :width] / 100
    waves = [
        np.sin(chance.uniform(1, 60) * (x * math.cos(turn) + y * math.sin(turn)) + chance.uniform(0, 6, 1))
        for turn in chance.uniform(0, math.pi, 3)
    ]
    values = 0.5 + np.stack(waves, 2) @ chance.uniform(-0.25, 0.25, (3, 3))
    return to_image(np.round(values * 3) / 3 if chance.random() < 0.5 else values)


def draw_text(chance, width, height):
    """A page of letters of many sizes."""
    image = Image.new("RGB", (width, height), "white")
    canvas = ImageDraw.Draw(image)
    top = 5
    while top < height:
        size = int(chance.integers(8, 40))
        words = "".join(chr(code) for code in chance.choice(np.arange(33, 127), width // 5))
        canvas.text((5, top), words, fill=tuple(map(int, chance.integers(0, 150, 3))), font_size=size)
        top += size + 4
    return image


KINDS = {
    "noise": draw_noise,
    "clouds": draw_clouds,
    "landscapes": draw_landscape,
    "objects": draw_objects,
    "houses": draw_houses,
    "stripes": draw_stripes,
    "text": draw_text,
}


# --- scenes ---------------------------------------------------------------------------------------


def draw_street():
    """Twelve synthetic faces in one picture."""
    scene = Image.new("RGB", SIZE, (200, 205, 210))
    for place in range(12):
        face, _ = face_drawing.draw(place, face_drawing.LABELS[place % 2], 0)
        scene.paste(face.resize((100, 100)), (30 + 150 * (place % 4), 30 + 150 * (place // 4)))
    return scene


def locate(session, photo):
    """The box of the face with the highest score in a photo on a grey ground, searched at several sizes; or None."""
    border = round(0.15 * max(photo.size))
    canvas = Image.new("RGB", (photo.width + 2 * border, photo.height + 2 * border), face_finder.GREY)
    canvas.paste(photo, (border, border))
    best, box = 0.5, None
    for longer in LOCATE_PX:
        size = [max(32, round(side * longer / max(canvas.size) / 32) * 32) for side in canvas.size]
        ((boxes, scores),) = face_finder.run(session, [canvas.resize(size, Image.Resampling.BILINEAR)])
        if len(scores) and scores[0] > best:  # the best first
            best, box = scores[0], boxes[0] * np.tile(np.divide(canvas.size, size), 2) - border
    return box


def compose(photos, seed):
    """A scene, and [(label, box)] of up to eight photos [(label, image, box)], reduced and pasted apart."""
    chance = np.random.default_rng(seed)
    scene, used, faces = draw_clouds(chance, *SIZE), [], []
    for _ in range(40):
        label, photo, box = photos[chance.integers(len(photos))]
        longer = max(box[2] - box[0], box[3] - box[1])
        scale = math.exp(chance.uniform(*np.log(FACE_PX))) / longer
        if len(faces) == 8 or scale > 1.5:
            continue
        around = np.array([-1.2, -1, 1.2, 1.5]) * longer + box
        window = np.concatenate([around[:2].clip(0), np.minimum(around[2:], photo.size)]).round().astype(int)
        piece = photo.crop(tuple(map(int, window)))
        piece = piece.resize([max(1, round(side * scale)) for side in piece.size], Image.Resampling.LANCZOS)
        if piece.width > SIZE[0] or piece.height > SIZE[1]:
            continue
        for _ in range(10):
            left, top = (int(chance.integers(0, SIZE[axis] - piece.size[axis] + 1)) for axis in (0, 1))
            area = (left, top, left + piece.width, top + piece.height)
            if all(area[2] <= u[0] or u[2] <= area[0] or area[3] <= u[1] or u[3] <= area[1] for u in used):
                scene.paste(piece, (left, top))
                used.append(area)
                faces.append((label, (box - np.tile(window[:2], 2)) * scale + np.tile((left, top), 2)))
                break
    return scene, faces


def locate_all(folder):
    """[(label, photo, box of its face)] of a folder's photos, without those in which no face is located."""
    session, photos = face_finder.open_session(face_finder.packaged_file()), []
    for label in face_drawing.LABELS:
        for path in sorted((folder / label).iterdir()):
            photo = decoding.decode(path)
            box = locate(session, photo)
            if box is not None:
                photos.append((label, photo, box))
    return photos


def score_scenes(find, model, photos, n, margins):
    """Faces found, and right with each margin, by class and by the face's size."""
    counts = {}
    for seed in range(n):
        scene, known = compose(photos, seed)
        faces = find(scene)
        boxes = np.array([(f.x, f.y, f.x + f.width, f.y + f.height) for f in faces], dtype=float).reshape(-1, 4)
        for label, box in known:
            longer = max(box[2] - box[0], box[3] - box[1])
            size = f"below {next(band for band in BANDS if longer < band)} px"
            shared = face_finder.overlaps(box, boxes)
            hit = bool(len(shared) and shared.max() >= FOUND)
            answers = {}
            if hit:
                crops = [face_crops.crop(scene, faces[shared.argmax()], margin) for margin in margins]
                probabilities = np.concatenate([model.classify([model.prepare(crop)]) for crop in crops])
                answers = dict(zip(margins, probabilities.argmax(1), strict=True))
            for band in (size, "all"):
                entry = counts.setdefault(
                    f"{label}, {band}", {"faces": 0, "found": 0} | {f"right {m:g}": 0 for m in margins}
                )
                entry["faces"] += 1
                entry["found"] += hit
                for margin, answer in answers.items():
                    entry[f"right {margin:g}"] += bool(model.classes[answer] == label)
    for name, entry in sorted(counts.items()):
        shares = {key: 100 * value / entry["faces"] for key, value in entry.items() if key != "faces"}
        print(f"{name}: {entry['faces']} faces", " ".join(f"{key} {value:.1f} %" for key, value in shares.items()))
    all_faces = {name: counts[f"{name}, all"] for name in face_drawing.LABELS}
    found = {name: intervals.wilson(entry["found"], entry["faces"]) for name, entry in all_faces.items()}
    return {"model": model.about, "photos": len(photos), "scenes": n, "counts": counts, "found_interval": found}


def score_reduced(model, photos, margins):
    """Faces that are right with each margin, by class: each cropped alone from its photo, reduced and blurred."""
    rows = []
    for longer, blur, quality in REDUCED:
        right = {label: dict.fromkeys(margins, 0) for label in face_drawing.LABELS}
        for label, photo, box in photos:
            image, face = reduce(photo, box, longer, blur, quality)
            crops = [model.prepare(face_crops.crop(image, face, margin)) for margin in margins]
            for margin, answer in zip(margins, model.classify(crops).argmax(1), strict=True):
                right[label][margin] += bool(model.classes[answer] == label)
        rows.append({"face_px": longer, "blur_px": blur, "jpeg_quality": quality, "right": right})
        totals = {label: sum(label == other for other, _, _ in photos) for label in right}
        for label, found in right.items():
            shares = " ".join(f"{margin:g}: {100 * count / totals[label]:.1f} %" for margin, count in found.items())
            print(f"{longer} px, blur {blur} px, JPEG {quality}, {label}: {shares}")
    return {"model": model.about, "photos": totals, "rows": rows}


def reduce(photo, box, longer, blur, quality):
    """(the photo reduced so that the longer side of a face has so many pixels, blurred and saved as JPEG; the face)."""
    scale = longer / max(box[2] - box[0], box[3] - box[1])
    small = photo.resize([max(1, round(side * scale)) for side in photo.size], Image.Resampling.LANCZOS)
    if blur:
        small = small.filter(ImageFilter.GaussianBlur(blur))
    left, top, right, bottom = (round(side * scale) for side in box)
    return versions.jpeg(small, quality), face_finder.Face(left, top, right - left, bottom - top, 1.0)


if __name__ == "__main__":
    main()
