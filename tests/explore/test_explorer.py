"""What an explorer holds, and its widgets as far as they can be seen without a browser."""

import base64
import dataclasses
import io

import numpy as np
import pytest
from conftest import TOLERANCE
from PIL import Image

from maskkit import checkpoint, corrections, data, features, model, pretrained, runs, split, train
from maskkit.core import disk, paths
from maskkit.explore import figures, widgets
from maskkit.explore import gallery as gallery_module
from maskkit.explore.explorer import THUMBNAIL_PX, Explorer, count_answers
from maskkit.html import languages
from maskkit.improve import train_recipe
from maskkit.recipe import Recipe
from maskkit.sources import face_finder, folders
from maskkit.sources.face_finder import Face

ENGLISH = languages.get("en")

SETTINGS = {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "seed": 0}


def learn(run_dir, dwarf):
    """01 and 02 with a random shufflenet at 64 px; returns the history."""
    parts = data.read_split(run_dir)
    photos = [data.MaskDataset(rows, run_dir, folders.REPORT_CLASSES, dwarf) for rows in parts]
    source = pretrained.find("shufflenet_v2_x0_5", "none")
    network = model.build(source, 2, seed=0)
    cpu = model.device("cpu")
    X = [features.extract(network, source.arch, part, cache=paths.CACHE, device=cpu)[0] for part in photos]
    pairs = [(x, part.label_tensor()) for x, part in zip(X, photos, strict=True)]
    fitted = train.fit_head(network, source.arch, *pairs, **SETTINGS)
    checkpoint.save(
        network, run_dir, source=source, classes=folders.REPORT_CLASSES, transform=dwarf, parameters=SETTINGS
    )
    runs.record(run_dir, best=fitted.best, last=fitted.last, photos="drawn", network="shufflenet")
    return fitted.history


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One feature cache: all tests draw the same photos."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run_dir(curated, dwarf, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", cache)
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    (curated[0] / "history").write_text(repr(learn(curated[0], dwarf)))
    return curated[0]


@pytest.fixture
def explorer(run_dir):
    return Explorer(run_dir, "cpu")


def first(explorer, label=0, part="train"):
    return int(np.flatnonzero((explorer.labels == label) & (explorer.parts == part))[0])


@pytest.mark.numeric
def test_without_a_change_it_learns_what_the_run_learned(explorer, run_dir):
    assert repr(explorer.learned.history) == (run_dir / "history").read_text()
    assert explorer.learned.kept == explorer.metrics["best"]
    assert not explorer.changed.any() and not explorer.file.exists()


@pytest.mark.numeric
def test_a_run_of_another_recipe_is_learned_as_it_was(run_dir):
    """As quick.yaml: things drawn on views, the mean of the last epochs, a bias set on views of the validation part."""
    recipe = Recipe(
        epochs=4,
        size_px=64,
        augment="occluded",
        views=2,
        average_epochs=2,
        bias_views=2,
        learning_rate=0.01,
        keep="last",
    )
    network = {"arch": "shufflenet_v2_x0_5", "weights": "none", "seed": 0, "device": "cpu"}
    fitted, _ = train_recipe.train_recipe(run_dir, recipe, **network)
    explorer = Explorer(run_dir, "cpu")
    for row, own in zip(fitted.history, explorer.learned.history, strict=True):
        assert row == pytest.approx(own, abs=TOLERANCE)


@pytest.mark.numeric
def test_a_change_reaches_the_numbers_that_a_new_run_reaches(explorer, photo_folder, tmp_path, dwarf):
    before = explorer.learned
    explorer.change(first(explorer), 1)
    explorer.change(first(explorer, 1), None)
    again = tmp_path / "again"
    again.mkdir()
    split.curate(folders.find(str(photo_folder)), again, per_class=0, split="grouped", seed=0, correct_by="auto")
    history = learn(again, dwarf)
    assert explorer.learned.history != before.history
    for row, new in zip(history, explorer.learned.history, strict=True):
        assert row == pytest.approx(new, abs=TOLERANCE)


def test_every_change_is_in_the_file_before_anything_learns(explorer, monkeypatch):
    place = first(explorer)
    monkeypatch.setattr(explorer, "_learn", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        explorer.change(place, 1)
    assert corrections.labels(explorer.file) == {explorer.rows[place]["sha256"]: "without_mask"}


def test_another_session_goes_on_and_undo_reaches_back(explorer, run_dir):
    place = first(explorer)
    explorer.change(place, 1)
    explorer.change(place, 1)  # again: no second line
    explorer.change(first(explorer, 1, "val"), None)
    other = Explorer(run_dir, "cpu")
    assert np.array_equal(other.labels, explorer.labels) and np.array_equal(other.excluded, explorer.excluded)
    assert other.undo()["action"] == "exclude" and other.undo()["label"] == "without_mask" and other.undo() is None
    assert not other.changed.any() and repr(other.learned.history) == (run_dir / "history").read_text()


def test_an_undo_that_would_leave_a_class_without_photos_takes_nothing_back(explorer):
    """Such a line may be another run's: here the label that it takes back is the class's last."""
    places = np.flatnonzero((explorer.original_labels == 0) & (explorer.parts == "val"))
    explorer.change(first(explorer, 1, "val"), 0)
    other, *_ = np.flatnonzero((explorer.original_labels == 1) & (explorer.parts == "val") & (explorer.labels == 0))
    row = explorer.rows[other]
    for place in places:
        explorer.change(int(place), None)
    lines = corrections.read(explorer.file)
    disk.write_csv(
        explorer.file,
        [line for line in lines if line["sha256"] != row["sha256"]]
        + [line for line in lines if line["sha256"] == row["sha256"]],
        corrections.COLUMNS,
    )
    before, labels = explorer.file.read_bytes(), explorer.labels.copy()
    with pytest.raises(ValueError, match="leaves no photo of class with_mask in part val"):
        explorer.undo()
    assert explorer.file.read_bytes() == before and np.array_equal(explorer.labels, labels)


def test_a_run_whose_last_stages_learned_too_says_what_is_not_known(run_dir):
    model_json = run_dir / "model.json"
    about = disk.read_json(model_json)
    about["parameters"]["tail_epochs"] = 2
    disk.write_json(model_json, about)
    explorer = Explorer(run_dir, "cpu")
    assert explorer.learned.unseen is None and not len(explorer.suspects)
    assert explorer.threshold_photos[2] == "validation photos"
    told = gallery_module.status_html(explorer)
    assert "only the head learns here" in told and "likely wrong labels cannot be told: the run" in told


def test_a_change_of_the_exam_is_told_apart(explorer):
    place = first(explorer, 0, "val")
    original = explorer.learned.original_score
    called = int(explorer.learned.probabilities[place].argmax())
    explorer.change(place, 1)
    now = explorer.learned
    assert now.original_score["n"] == now.kept["n"] == original["n"]
    delta = {0: -1, 1: 1}[int(now.probabilities[place].argmax())]
    assert now.kept["correct"] - now.original_score["correct"] == delta, called
    assert "1 change in the validation set changed what is measured" in gallery_module.status_html(explorer)


def test_what_would_empty_a_part_is_refused_and_nothing_is_written(explorer):
    places = np.flatnonzero((explorer.labels == 0) & (explorer.parts == "val"))
    for place in places[:-1]:
        explorer.change(int(place), None)
    before, labels = explorer.file.read_bytes(), explorer.labels.copy()
    with pytest.raises(ValueError, match="leaves no photo of class with_mask in part val"):
        explorer.change(int(places[-1]), 1)
    assert explorer.file.read_bytes() == before and np.array_equal(labels, explorer.labels)


def test_a_wrong_label_comes_to_the_top_and_filters_hold(explorer):
    place = first(explorer)
    explorer.change(place, 1)
    knowing = np.where(np.arange(2) == explorer.original_labels[:, None], 0.9, 0.1)  # heads that know every photo
    explorer.learned = dataclasses.replace(explorer.learned, unseen=knowing)
    assert explorer.suspects.tolist() == [place] == explorer.select("likely wrong label")[:1]
    assert explorer.select(verdict="changed") == [place]
    own = explorer.label_probability(explorer.learned.probabilities)[explorer.select("loss")]
    assert (np.diff(own) >= 0).all()
    validation = explorer.select("file name", label="with_mask", part="val")
    assert validation and all(explorer.parts[at] == "val" and explorer.labels[at] == 0 for at in validation)
    right, wrong = explorer.select(verdict="right"), explorer.select(verdict="wrong")
    assert sorted(right + wrong) == list(range(30)) and place in explorer.select(label="without_mask")
    explorer.change(place, None)
    assert explorer.select(verdict="excluded") == [place] and explorer.select()[-1] == place
    with pytest.raises(ValueError, match="sort must be one of"):
        explorer.select("size")


def test_answers_are_counted_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    labels = np.array([0, 0, 0, 1])
    assert count_answers(probabilities, labels, 0.5).tolist() == [[2, 1, 0], [0, 1, 0]]
    assert count_answers(probabilities, labels, 0.75).tolist() == [[1, 0, 2], [0, 1, 0]]
    said = widgets.answers_table(count_answers(probabilities, labels, 0.75), ("a<b", "c"), "photos", ENGLISH)
    assert "50.0 % “don't know”" in said.unescape() and "a&lt;b" in said and "2 right, 0 wrong" in said


# --- widgets ------------------------------------------------------------------------------------


def shown(gallery):
    return [next(tile for tile in gallery.tiles.values() if tile.widget is widget) for widget in gallery.grid.children]


def test_the_gallery_corrects_and_follows(explorer):
    gallery = gallery_module.Gallery(explorer)
    tile, said, curves = shown(gallery)[3], gallery.status.value, gallery.curves.value
    tile.choice.value = 1 - tile.current()
    assert explorer.changed[tile.place] and gallery.status.value != said and gallery.curves.value != curves
    lines = explorer.file.read_bytes()
    tile.choice.value = tile.current()  # a second click on the same choice
    assert explorer.file.read_bytes() == lines
    gallery.undo.click()
    assert not explorer.changed.any() and tile.choice.value == tile.current()
    assert f"Taken back: {explorer.rows[tile.place]['source']}, " in gallery.message.value
    gallery.undo.click()
    assert "There is nothing to take back." in gallery.message.value
    gallery.next.click()
    assert gallery.position.value == "13-24 of 30 photos"
    gallery.filters["verdict"].value = "excluded"
    assert gallery.position.value == "no photo" and gallery.page == 0


def test_a_change_that_cannot_be_is_said_and_the_tile_shows_what_is(explorer, monkeypatch):
    gallery = gallery_module.Gallery(explorer)
    tile = shown(gallery)[0]
    before = tile.current()
    monkeypatch.setattr(corrections, "append", lambda *_, **__: (_ for _ in ()).throw(OSError("disk <full>")))
    tile.choice.value = gallery_module.EXCLUDED
    assert "Nothing was changed: disk &lt;full&gt;" in gallery.message.value and tile.choice.value == before


def words_of(widget):
    """All that a widget and those inside it show."""
    options = [name for name, _ in getattr(widget, "options", ())]
    own = [getattr(widget, "description", ""), str(getattr(widget, "value", "")) if hasattr(widget, "value") else ""]
    return " | ".join([*own, *options, *(words_of(child) for child in getattr(widget, "children", ()))])


INDONESIAN = """
Urutkan
Kelas
Bagian
Tampilkan
label mungkin keliru
nama berkas
foto latih
dikeluarkan
sebelum
lanjut
batalkan
interval kepercayaan 95%
1 label diubah, 1 foto dikeluarkan, disimpan di
1 perubahan dalam set validasi
dilatih dalam
belum dilihat: label
tidak dilatih dan tidak dihitung
semula with_mask
Jawab mulai
tepatnya
0,0% “tidak tahu”</b>; 29 jawaban
tingkat kesalahan
Pilih foto
Matriks konfusi
Loss dan akurasi selama
masing-masing diklasifikasikan
Foto satu wajah, atau gambar
"""


def test_the_widgets_speak_the_language_of_the_run(run_dir):
    runs.record(run_dir, language="id")
    explorer = Explorer(run_dir, "cpu")
    explorer.change(first(explorer), None)
    explorer.change(first(explorer, 1, "val"), 0)
    gallery = gallery_module.Gallery(explorer)
    gallery.filters["verdict"].value = "excluded"  # the values stay English
    assert gallery.position.value == "1-1 dari 1 foto"
    said = words_of(gallery.widget)
    gallery.filters["verdict"].value = "changed"
    said += words_of(gallery.widget)
    gallery.filters["verdict"].value = "all"
    said += words_of(gallery.widget) + words_of(widgets.threshold(explorer))
    said += words_of(widgets.upload(explorer))
    for text in INDONESIAN.strip().splitlines():
        assert text in said, text
    gallery.undo.click()
    assert "Dibatalkan: " in gallery.message.value
    told = widgets.answer_html(explorer, uploaded(explorer.image(0)), lambda _: [])
    assert "Tidak ada wajah yang ditemukan" in told and ", keyakinan " in told
    empty = {"name": "x", "size": 0, "content": b""}
    assert "x: berkas kosong" in widgets.answer_html(explorer, empty)
    assert "batasnya di sini 8.000.000" in widgets.answer_html(explorer, empty | {"size": 10**9})


def test_names_are_escaped(explorer, monkeypatch):
    monkeypatch.setattr(explorer, "name", lambda place: '<img src=x onerror=alert(1)>".png')
    tile = gallery_module.Tile(explorer, 0, None)
    tile.show()
    assert "<img src=x" not in tile.photo.value and "&lt;img src=x onerror=alert(1)&gt;&#34;.png" in tile.photo.value


@pytest.mark.numeric
def test_a_face_dropped_in_is_answered_and_what_is_none_is_said(explorer):
    photo = explorer._photos.path(0).read_bytes()
    said = widgets.answer_html(explorer, {"name": "<b>.png", "size": len(photo), "content": memoryview(photo)})
    called = explorer.classes[int(explorer.learned.probabilities[0].argmax())]
    assert f"&lt;b&gt;.png: {called}" in said and "data:image/png;base64," in said
    found = explorer.explain(explorer.image(0))
    assert found.probabilities == pytest.approx(explorer.learned.probabilities[0], abs=TOLERANCE)
    assert found.heat.shape == (2, 2) and found.heat.min() >= 0
    for content, problem in ((b"", "the file is empty"), (b"text", "not a photo of a known kind")):
        assert problem in widgets.answer_html(explorer, {"name": "x", "size": len(content), "content": content})
    assert "the limit here is" in widgets.answer_html(explorer, {"name": "x", "size": 10**9, "content": b""})


def faces_at(*corners, side_px=60):
    return [Face(left, top, side_px, side_px, 0.9) for left, top in corners]


def uploaded(picture):
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return {"name": "scene.png", "size": stream.tell(), "content": memoryview(stream.getvalue())}


def test_each_face_of_an_uploaded_scene_is_answered_by_its_crop(explorer, monkeypatch):
    scene = Image.new("RGB", (600, 300))
    pasted = [explorer.image(place).resize((63, 63)) for place in (0, 1)]
    for place, photo in enumerate(pasted):
        scene.paste(photo, (96 + 200 * place, 96))
    seen, explain = [], explorer.explain
    monkeypatch.setattr(explorer, "explain", lambda crop: seen.append(crop) or explain(crop))
    faces = faces_at((98, 98), (298, 98))  # the crops are squares of 63 px around their middle
    said = widgets.answer_html(explorer, uploaded(scene), lambda picture: faces)
    assert "2 faces found." in said and said.count("data:image/png;base64,") == 2
    assert "face 1 of scene.png: with" in said and "face 2 of scene.png: with" in said
    assert all(np.array_equal(np.asarray(one), np.asarray(other)) for one, other in zip(seen, pasted, strict=True))


@pytest.mark.parametrize(
    ("found", "n", "note"),
    [
        (None, 1, ""),  # the extra is not installed
        ([], 1, "No face was found, so the whole picture is taken as one face."),
        (faces_at((20, 20), side_px=120), 1, ""),  # it fills the picture
        (faces_at((20, 20), side_px=90), 1, "1 face found."),
        (faces_at(*[(10 * n, 10) for n in range(14)], side_px=10), 12, "14 faces found; the 12 largest are shown."),
    ],
)
def test_a_picture_is_cropped_where_faces_are_found_in_it(found, n, note):
    picture = Image.new("RGB", (200, 200))
    crops, told = widgets.find_crops(picture, None if found is None else lambda _: found, ENGLISH)
    assert (len(crops), told) == (n, note)
    assert (crops[0] is picture) == (note in ("", "No face was found, so the whole picture is taken as one face."))


def test_without_the_extra_the_widget_says_what_to_install(monkeypatch):
    assert widgets.load_finder(ENGLISH)[1] == "A photo of one face, or a picture of several people."
    monkeypatch.setattr(face_finder.importlib.util, "find_spec", lambda name: None)
    find, hint = widgets.load_finder(ENGLISH)
    assert find is None and "pip install -e '.[faces]'" in hint


def test_thumbnails_are_small_pictures(explorer):
    with Image.open(io.BytesIO(base64.b64decode(explorer.thumbnail(0).partition(",")[2]))) as image:
        assert image.format == "JPEG" and max(image.size) <= THUMBNAIL_PX


def test_the_figures_say_what_they_show(explorer):
    images = [explorer.image(at) for at in (0, 1)]
    fig = figures.doubts(images, [0, 1], explorer.answers[:2], ["a", "$b$"], 1, explorer.classes, "drawn")
    assert "1 label likely wrong" in fig.get_suptitle()
    fig = figures.explained(images[0], np.zeros((2, 2)), np.array([0.3, 0.7]), explorer.classes, "net")
    assert fig.get_suptitle() == "Predicted: without_mask, confidence 70.0 %"


def test_the_figures_are_drawn_in_indonesian(explorer):
    images = [explorer.image(at) for at in (0, 1)]
    some = explorer.answers[:2]
    fig = figures.doubts(images, [0, 1], some, ["a", "b"], 2, explorer.classes, "demo", language="id")
    assert fig.get_suptitle() == "Label yang diragukan: 2 label mungkin keliru"
    fig = figures.explained(images[0], np.zeros((2, 2)), np.array([0.3, 0.7]), explorer.classes, "net", language="id")
    assert fig.get_suptitle() == "Prediksi: without_mask, keyakinan 70,0%"
    assert {axis.get_title(loc="left") for axis in fig.axes} >= {"foto", "jawaban jaringan"}
