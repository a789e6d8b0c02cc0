"""`maskkit demo` in Chromium, as a new user meets it: an uploaded picture, the camera; nothing goes elsewhere."""

import os
import re
import subprocess
import sys
import urllib.parse

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from maskkit import checkpoint, data, features, model, pretrained, split, train
from maskkit.sources import face_crops, face_drawing, face_finder, folders
from maskkit.sources.face_finder import Face
from tests.deploy.scenes import paste_faces, street

pytest.importorskip("gradio", reason="make test-demo brings it")

PATIENCE_MS = 120_000
WIDTHS = (400, 1200)
FACES = "6 faces: 3 with_mask, 3 without_mask"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A model trained as 01 and 02 do, on crops of 60 synthetic faces a class, none of which is in the scene."""
    root = tmp_path_factory.mktemp("model")
    run_dir = root / "run"
    run_dir.mkdir()
    write_crops(root / "faces", range(20, 140))
    rows, _ = split.curate(folders.find(str(root / "faces")), run_dir, per_class=0, split="grouped", seed=0)
    classes, transform, source = data.classes(rows), model.Transform(), pretrained.find("mobilenet_v2", "packaged")
    network = model.build(source, n_classes=len(classes), seed=0)
    parts = [data.MaskDataset(part, run_dir, classes, transform) for part in data.read_split(run_dir)]
    vectors, _ = features.extract_each(network, source.arch, parts, cache=root / "cache", device=torch.device("cpu"))
    known = [(X, photos.label_tensor()) for X, photos in zip(vectors, parts, strict=True)]
    train.fit_head(network, source.arch, *known, epochs=10, batch_size=16, learning_rate=0.001, seed=0)
    checkpoint.save(network, run_dir, source=source, classes=classes, transform=transform, parameters={"epochs": 10})
    return run_dir


def write_crops(folder, indices):
    """Synthetic faces in a folder for each class, cropped as a found face is."""
    for index in indices:
        label = face_drawing.LABELS[index % 2]
        drawn, attributes = face_drawing.draw(index, label, 0)
        x, y = (float(part) * drawn.width for part in attributes["centre"].split())
        unit = attributes["unit"] * drawn.width
        across = 2 * unit * attributes["wide"]
        box = (x - across / 2, y - 0.9 * unit, across, 2.2 * unit)
        (folder / label).mkdir(parents=True, exist_ok=True)
        face_crops.crop(drawn, Face(*map(round, box), 1.0)).save(folder / label / f"{index}.png")


@pytest.fixture(scope="module")
def labels():
    """The class of each face of the scene, in the order of the answers: the largest first."""
    scene, boxes = street()
    known = [(label, box) for label, drawn in boxes.items() for box in drawn]

    def label_of(face):
        middle = face.x + face.width / 2, face.y + face.height / 2
        return next(name for name, (left, top, right, bottom) in known if is_between(middle, left, top, right, bottom))

    return [label_of(face) for face in face_finder.load()(scene)]


def is_between(point, left, top, right, bottom):
    return left < point[0] < right and top < point[1] < bottom


@pytest.fixture(scope="module")
def address(run_dir):
    """Where the demo says that it can be opened."""
    command = [sys.executable, "-m", "maskkit", "demo", "--model", str(run_dir), "--port", "0", "--threshold", "0.5"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        told = process.stdout.readline()
        assert re.match(r"open http://127\.0\.0\.1:\d+ in a browser", told), told
        yield told.split()[1]
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture
def scene(tmp_path):
    street()[0].save(tmp_path / "scene.png")
    return tmp_path / "scene.png"


@pytest.fixture
def open_page(chromium, scene, tmp_path):
    """A function: the demo in a Chromium of its own, whose camera films the scene, at a width.

    What the page asks for from elsewhere, and what it complains of, is collected.
    """
    from playwright.sync_api import sync_playwright

    film = tmp_path / "camera.mjpeg"
    street()[0].resize((640, 480)).save(film, "JPEG", quality=95)
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)

        def open_at(address, width):
            page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.elsewhere, page.faults = [], []
            page.on(
                "request", lambda request: page.elsewhere.append(request.url) if is_elsewhere(request.url) else None
            )
            page.on("websocket", lambda opened: page.elsewhere.append(opened.url) if is_elsewhere(opened.url) else None)
            page.on("pageerror", lambda error: page.faults.append(str(error)))
            page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
            page.goto(address)
            expect(page.get_by_text("No picture yet")).to_be_visible(timeout=PATIENCE_MS)
            return page

        yield open_at
        browser.close()


def is_elsewhere(url):
    return not url.startswith(("data:", "blob:")) and urllib.parse.urlsplit(url).hostname != "127.0.0.1"


def expect_answer(page):
    """Six faces, all classified right, and then an occlusion map for each."""
    expect(page.locator(".maskkit h2")).to_have_text(FACES, timeout=PATIENCE_MS)
    expect(page.locator(".maskkit li")).to_have_count(6)
    expect(page.locator(".maskkit li figure img")).to_have_count(12, timeout=PATIENCE_MS)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_uploaded_scene_is_answered_right_and_nothing_goes_elsewhere(
    open_page, address, scene, labels, pictures, width
):
    page = open_page(address, width)
    page.set_input_files("input[type=file]", scene)
    expect_answer(page)
    expect(page.locator(".maskkit li h3")).to_have_text([f"{n} {label}" for n, label in enumerate(labels, 1)])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("[...document.querySelectorAll('.maskkit img')].every(one => one.naturalWidth > 50)")
    page.screenshot(path=f"{pictures}/demo-{width}.png", full_page=True)
    page.get_by_text("How to read this").click()
    found = Axe().run(page, context=".maskkit", options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert not found.response["violations"], found.generate_report()
    assert not page.elsewhere and not page.faults


def test_the_camera_is_answered_right(open_page, address, pictures):
    page = open_page(address, 1200)
    page.get_by_role("button", name="Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_role("button", name="capture photo").click()
    expect_answer(page)
    page.screenshot(path=f"{pictures}/demo-camera.png", full_page=True)
    assert not page.elsewhere and not page.faults


def test_a_second_picture_replaces_the_first_and_one_without_a_face_is_said(open_page, address, scene, tmp_path):
    page = open_page(address, 1200)
    page.set_input_files("input[type=file]", scene)
    expect(page.locator(".maskkit h2")).to_have_text(FACES, timeout=PATIENCE_MS)
    page.get_by_role("button", name="Clear").or_(page.get_by_role("button", name="Remove Image")).first.click()
    expect(page.get_by_text("No picture yet")).to_be_visible(timeout=PATIENCE_MS)
    paste_faces((300, 200), [])[0].save(tmp_path / "wall.png")
    page.set_input_files("input[type=file]", tmp_path / "wall.png")
    expect(page.get_by_text("No face found")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(2000)  # the maps of the first picture, if they were still computed, would come now
    expect(page.get_by_text("No face found")).to_be_visible()


def test_a_file_that_is_no_picture_gets_the_reason_and_no_broken_image(open_page, address, scene, tmp_path):
    page = open_page(address, 1200)
    (tmp_path / "text.jpg").write_text("no photo")
    page.set_input_files("input[type=file]", tmp_path / "text.jpg")
    expect(page.get_by_text("This picture cannot be read")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("not a photo of a known kind")).to_be_visible()
    broken = "[...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.style.visibility)"
    page.wait_for_function(f"({broken}).length > 0")
    assert set(page.evaluate(broken)) == {"hidden"}
    page.get_by_role("button", name="Clear").or_(page.get_by_role("button", name="Remove Image")).first.click()
    page.set_input_files("input[type=file]", scene)
    expect(page.locator(".maskkit h2")).to_have_text(FACES, timeout=PATIENCE_MS)
    assert page.evaluate("[...document.images].every(one => getComputedStyle(one).visibility === 'visible')")


def test_the_policy_keeps_the_page_from_loading_from_elsewhere(open_page, address):
    page = open_page(address, 1200)
    refused = page.evaluate(
        "new Promise(done => { document.addEventListener('securitypolicyviolation', event => done(event.blockedURI));"
        " new Image().src = 'http://example.invalid/a.png'; })"
    )
    assert refused == "http://example.invalid/a.png"
