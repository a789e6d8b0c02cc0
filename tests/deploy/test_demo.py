"""`maskkit demo`: what the page answers, and what its server keeps to itself."""

import json
import re
import socket
import sys

import numpy as np
import pytest
from PIL import Image

from maskkit import checkpoint
from maskkit.cli import main
from maskkit.deploy import classifier, demo, demo_server
from maskkit.sources import face_finder
from tests.deploy.scenes import WALL, street

pytest.importorskip("onnxruntime")

THRESHOLD = 0.8


def confident(*probabilities):
    """A classifier of two classes that gives these probabilities of the first, one face after the other."""
    left = list(probabilities)

    def classify(images):
        return np.array([[first, 1 - first] for first in (left.pop(0) for _ in images)], dtype=np.float32)

    return classifier.Classifier(("masked", "bare"), lambda image: image, classify, 32, {"model": "m", "network": "n"})


def hot_corner(crop, index):
    return np.pad(np.full((2, 2), 0.4, np.float32), (0, 5))


@pytest.fixture
def scene(tmp_path):
    street()[0].save(tmp_path / "scene.png")
    return str(tmp_path / "scene.png")


@pytest.fixture
def wall(tmp_path):
    Image.new("RGB", (300, 200), WALL).save(tmp_path / "wall.png")
    return str(tmp_path / "wall.png")


def last(answers):
    return re.sub(r"\s+", " ", [*answers][-1])


def test_each_face_has_its_label_confidence_and_map_and_below_the_threshold_it_is_not_sure(scene):
    judge = demo.Judge(face_finder.load(), confident(0.99, 0.05, 0.79, 0.81, 0.9, 0.6), hot_corner, THRESHOLD)
    steps = [*demo.answers(scene, judge)]
    assert [step.count("computing ...") for step in steps] == [6, 5, 4, 3, 2, 1, 0]  # the answer first, then the maps
    shown = last(steps)
    assert "<h2>6 faces: 3 masked, 1 bare, 2 not sure</h2>" in shown
    assert re.findall(r"<h3>.*?</span> (.*?)</h3>", shown) == [
        "masked",
        "bare",
        "not sure",
        "masked",
        "masked",
        "not sure",
    ]
    assert "Below the threshold of 80.0 %. The more likely class is masked." in shown and "<b>79.0 %</b>" in shown
    assert shown.count("occlusion map</figcaption>") == 6 and shown.count("lowers this by 40 percentage points") == 6


@pytest.mark.parametrize(("threshold", "unsure"), [(0, 0), (0.95, 5), (1, 6)])
def test_the_threshold_is_the_callers(scene, threshold, unsure):
    judge = demo.Judge(face_finder.load(), confident(0.99, 0.9, 0.9, 0.9, 0.9, 0.9), hot_corner, threshold)
    assert next(demo.answers(scene, judge)).count('<li class="unsure">') == unsure


def test_a_threshold_that_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="--threshold takes 0 to 1, got 80"):
        demo.Judge(None, None, None, 80)


def test_a_picture_without_a_face_is_said_and_the_model_is_not_asked(wall):
    shown = last(demo.answers(wall, demo.Judge(face_finder.load(), confident(), hot_corner, THRESHOLD)))
    assert "<h2>No face found</h2>" in shown and "only the square around each face reaches the model" in shown


@pytest.mark.parametrize(
    ("content", "reason"), [(b"no photo", "not a photo of a known kind"), (b"", "the file is empty")]
)
def test_a_file_that_is_no_picture_gets_one_clear_message(tmp_path, content, reason):
    (tmp_path / "bad.jpg").write_bytes(content)
    shown = last(demo.answers(str(tmp_path / "bad.jpg"), demo.Judge(None, None, None, THRESHOLD)))
    assert "<h2>This picture cannot be read</h2>" in shown and reason in shown


def test_hundreds_of_faces_have_boxes_and_the_largest_have_cards_and_maps(wall):
    faces = [face_finder.Face(x, y, 8, 8, 0.9) for x in range(0, 290, 10) for y in range(0, 190, 10)]
    judge = demo.Judge(lambda image: faces, confident(*[0.9] * len(faces)), hot_corner, THRESHOLD)
    steps = [*demo.answers(wall, judge)]
    assert len(steps) == 1 + demo.MAX_MAPS and "<h2>551 faces: 551 masked</h2>" in steps[-1]
    assert steps[-1].count("<li ") == demo.MAX_CARDS and f"The {demo.MAX_CARDS} largest of 551 faces." in steps[-1]


def test_the_map_colours_where_hiding_costs_probability_and_nowhere_else():
    crop = Image.new("RGB", (70, 70), (120, 120, 120))
    overlaid = np.asarray(demo.overlay(crop, hot_corner(crop, 0))).astype(int)
    colourful = np.ptp(overlaid, axis=2)
    assert colourful[5, 5] > 40 and colourful[40:, 40:].max() == 0
    noise = np.asarray(demo.overlay(crop, np.full((7, 7), 0.0, np.float32)))
    assert np.ptp(noise.astype(int), axis=2).max() == 0


def test_answers_and_maps_share_one_network(trained, monkeypatch):
    loaded, load = [], checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda run_dir: loaded.append(run_dir) or load(run_dir))
    shared, _ = demo.load_model(trained, "cpu")
    alone = classifier.from_run(trained, "cpu")
    crop = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8))
    answers = [one.classify([one.prepare(crop)]) for one in (shared, alone)]
    assert len(loaded) == 2 and shared.about == alone.about  # one of each
    np.testing.assert_allclose(*answers, atol=1e-4)


def test_the_map_is_that_of_the_runs_network(trained):
    crop = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8))
    _, explain = demo.load_model(trained, "cpu")
    found, opposite = explain(crop, 0), explain(crop, 1)
    assert found.shape == (7, 7) and np.ptp(found) > 0
    assert np.allclose(found, -opposite, atol=1e-5)  # what one of two classes loses, the other gains


# --- the server ---------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch):
    """The environment as it was, after a test that builds the page."""
    for name in (*demo_server.OFFLINE, "GRADIO_TEMP_DIR", "GRADIO_EXAMPLES_CACHE"):
        monkeypatch.setenv(name, "")


@pytest.fixture
def client(tmp_path, environment):
    """The page as a browser on this machine asks it."""
    pytest.importorskip("gradio")
    testclient = pytest.importorskip("starlette.testclient")
    judge = demo.Judge(face_finder.load(), confident(*[0.9] * 100), hot_corner, THRESHOLD)
    own = tmp_path / "own"
    own.mkdir()
    with testclient.TestClient(demo_server.build(judge, own), base_url="http://127.0.0.1") as opened:
        yield opened


def upload(client, path):
    with open(path, "rb") as file:
        answer = client.post("/gradio_api/upload", files={"files": file})
    assert answer.status_code == 200, answer.text
    return answer.json()[0]


def ask(client, path, is_stream=False):
    """The events of a picture, as the page sends and hears them."""
    config = client.get("/config").json()
    picture = {"path": path, "is_stream": is_stream, "meta": {"_type": "gradio.FileData"}}
    event = next(one for one in config["dependencies"] if one["targets"])
    body = {"data": [picture], "fn_index": event["id"], "session_hash": "s"}
    joined = client.post("/gradio_api/queue/join", json=body)
    assert joined.status_code == 200, joined.text
    heard = client.get("/gradio_api/queue/data", params={"session_hash": "s"}).text
    return [json.loads(line.removeprefix("data: ")) for line in heard.splitlines() if line.startswith("data: ")]


def completed(events):
    return next(event for event in events if event["msg"] == "process_completed")


def test_an_uploaded_scene_is_answered(client, scene):
    done = completed(ask(client, upload(client, scene)))
    assert done["success"] and "6 faces: 6 masked" in json.dumps(done["output"])


def test_an_uploaded_text_is_answered_with_the_reason(client, tmp_path):
    (tmp_path / "text.jpg").write_text("no photo")
    done = completed(ask(client, upload(client, tmp_path / "text.jpg")))
    assert done["success"] and "This picture cannot be read" in json.dumps(done["output"])


def test_the_page_tells_the_browser_to_load_from_here_only(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and "default-src 'self';" in policy and "http" not in policy and "*" not in policy
    loaded = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"'](?:https?:)?//[^>]*>", answer.text)
    assert not loaded and "fonts.googleapis" not in answer.text + client.get("/theme.css").text
    assert client.get("/config").json()["analytics_enabled"] is False


@pytest.mark.parametrize(
    "path",
    [
        "file=/etc/passwd",
        "file=../../../../../../etc/passwd",
        "file=//etc/passwd",
        "file={own}/../../etc/passwd",
        "file={here}",
        "file=http://example.com/",
        "file/etc/passwd",
        "proxy=http://example.com/",
        "run/predict",
        "openapi.json",
        "../monitoring",
        "../login",
        "../docs",
    ],
)
def test_no_file_of_the_machine_and_no_other_address_is_served(client, path, tmp_path):
    url = "/gradio_api/" + path.format(own=tmp_path / "own", here=__file__)
    assert client.get(url).status_code in (403, 404)


def test_a_link_out_of_the_own_folder_is_not_followed(client, tmp_path, scene):
    assert client.get("/gradio_api/file=" + upload(client, scene)).status_code == 200
    (tmp_path / "own" / "link.png").symlink_to(scene)
    assert client.get(f"/gradio_api/file={tmp_path}/own/link.png").status_code == 404


@pytest.mark.parametrize("path", ["/etc/hostname", __file__, "http://127.0.0.1:9/a.png", "https://example.com/a.png"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_picture_named_by_path_or_address_is_not_read(client, path, is_stream, monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **_: asked.append(given) or [])
    assert not completed(ask(client, path, is_stream))["success"] and not asked


def test_uploads_are_bounded(client, monkeypatch, tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(demo_server.MAX_UPLOAD + demo_server.MAX_OVERHEAD))
    with open(tmp_path / "large.png", "rb") as file:
        assert client.post("/gradio_api/upload", files={"files": file}).status_code == 413
    assert client.post("/gradio_api/upload", content=iter([b"x"])).status_code == 411  # of no stated length
    assert client.post("/gradio_api/queue/join", content=bytes(demo_server.MAX_OVERHEAD + 1)).status_code == 413


def test_other_pages_and_other_names_of_this_machine_are_refused(client):
    assert client.get("/config", headers={"host": "evil.example"}).status_code == 400
    assert client.post("/gradio_api/upload", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.get("/config", headers={"sec-fetch-site": "same-origin", "host": "localhost:1"}).status_code == 200


def test_it_listens_on_loopback_only_and_a_taken_port_is_said():
    with demo_server.listen(0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        listener.listen()
        with pytest.raises(ValueError, match=f"--port {port} cannot be used"):
            demo_server.listen(port)
    with pytest.raises(ValueError, match="--port 99999 cannot be used"):
        demo_server.listen(99999)


def test_without_the_extra_one_message_says_what_to_install(monkeypatch, capsys, trained, environment):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr(checkpoint, "load", lambda run_dir: pytest.fail("the model was loaded before"))
    assert main.main(["demo", "--model", str(trained), "--port", "0"]) == 2
    told = capsys.readouterr()
    assert "the demo needs gradio: pip install -e '.[demo]'" in told.err and "Traceback" not in told.err


def test_a_run_that_is_not_there_is_said(capsys):
    assert main.main(["demo", "--model", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
