"""Wishes measured on small drawn photos: who is asked, what is paired, and that nothing is left changed."""

import json
import shutil

import numpy as np
import pytest
import torch
from conftest import fill
from PIL import ImageOps

from maskkit import augment, data, demo, improve, model, paths, sections
from maskkit.subject import Net

CPU = torch.device("cpu")
RECIPE = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01}
CLASSES = ("with_mask", "without_mask")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return demo.make(tmp_path_factory.mktemp("demo") / "set")


@pytest.fixture
def source(faces, tmp_path):
    """A folder of 28 drawn faces a class."""
    for name in CLASSES:
        (tmp_path / "faces" / name).mkdir(parents=True)
        for path in sorted((faces / name).iterdir())[:28]:
            shutil.copy(path, tmp_path / "faces" / name)
    return data.find(str(tmp_path / "faces"))


@pytest.fixture
def drawn(source, tmp_path):
    """15 of each class, split three times."""
    (tmp_path / "run").mkdir()
    data.curate(source, tmp_path / "run", per_class=15, split="grouped", seed=0)
    return improve.draw(tmp_path / "run", n_seeds=3, seed=0)


def test_the_drawn_photos_are_split_anew_for_each_seed(drawn):
    assert len(drawn.photos) == 30 and len(drawn.parts) == 3
    for fit_on, check_on in drawn.parts:
        assert len(fit_on) == 24 and len(check_on) == 6 and not set(fit_on) & set(check_on)
    assert len({tuple(check_on) for _, check_on in drawn.parts}) > 1
    assert drawn.y.tolist() == drawn.photos.labels


def test_exams_hold_no_version_of_a_drawn_photo(drawn, source, tmp_path):
    other = fill(tmp_path / "other", CLASSES, 6)
    known = {row["sha256"] for row in drawn.photos.rows}
    first = next(i for i, row in enumerate(drawn.photos.rows) if row["label"] == "with_mask")
    ImageOps.mirror(drawn.photos.image(first)).save(source.folder / "with_mask" / "mirrored.png")
    shutil.copy(drawn.photos.path(first), other / "with_mask")
    unseen, street, elsewhere = improve.exams(drawn, source, data.find(str(other)), n=12, seed=0)
    assert [exam.name for exam in (unseen, street, elsewhere)] == ["unseen", "street", "elsewhere"]
    files = {row["file"] for row in unseen.rows}
    assert len(unseen.rows) == 12 and "with_mask/mirrored.png" not in files
    assert not known & {row["sha256"] for row in unseen.rows + elsewhere.rows}
    assert street.rows == unseen.rows and street.transform.augmentation == "street"
    labels = [row["label"] for row in unseen.rows]
    assert labels.count("with_mask") == labels.count("without_mask") == 6


def test_without_photos_left_over_it_says_so(source, tmp_path):
    (tmp_path / "all").mkdir()
    data.curate(source, tmp_path / "all", per_class=0, split="grouped", seed=0)
    with pytest.raises(ValueError, match="every photo of faces was drawn"):
        improve.exams(improve.draw(tmp_path / "all", n_seeds=1, seed=0), source, None, n=10, seed=0)


def test_another_source_needs_the_same_classes(drawn, source, tmp_path):
    other = fill(tmp_path / "other", ("cats", "dogs"), 3)
    with pytest.raises(ValueError, match="AGAINST holds the classes cats, dogs, the run with_mask, without_mask"):
        improve.exams(drawn, source, data.find(str(other)), n=10, seed=0)


@pytest.fixture
def net():
    return Net("resnet18", "none", "", model.build(model.Pretrained("resnet18", "none", None, ""), 2, seed=0))


def small(exams):
    """The same exams at 64 px."""
    return [improve.Exam(exam.name, exam.words, exam.rows, exam.groups, model.Transform(64)) for exam in exams[:1]]


def test_frozen_and_unfrozen_answer_the_exam_and_leave_the_network_as_it_was(net, drawn, source):
    drawn.photos.transform = model.Transform(64)
    exams = small(improve.exams(drawn, source, None, n=12, seed=0))
    before = {name: value.clone() for name, value in net.network.state_dict().items()}
    settings = {"recipe": RECIPE, "device": CPU, "seed": 0}
    nets = {"resnet18": net}
    plain = improve.frozen(nets, drawn, exams, augmentation="none", n_views=1, **settings)["resnet18"]
    views = improve.frozen(nets, drawn, exams, augmentation="report", n_views=2, **settings)
    thawed = improve.unfrozen(
        nets, drawn, exams, views, augmentation="report", n_views=2, tail_learning_rate=1e-4, **settings
    )["resnet18"]
    views = views["resnet18"]
    for learned in (plain, views, thawed):
        assert learned.right["unseen"].shape == (3, 12) and learned.right["unseen"].dtype == bool
        assert len(learned.history) == 2
    assert not torch.equal(plain.states[0]["weight"], views.states[0]["weight"])
    assert all(torch.equal(value, before[name]) for name, value in net.network.state_dict().items())
    assert model.count_weights(net.network)[0] == 1026
    again = improve.learn_head(net, drawn, exams, augmentation="report", n_views=2, **settings)
    assert np.array_equal(views.right["unseen"], again.right["unseen"])


def exam_of(n):
    return improve.Exam("unseen", "unseen photos", [{"label": "a"}] * n, np.arange(n))


def learned(right):
    return improve.Learned({"unseen": right}, [], [])


@pytest.mark.parametrize(
    ("before", "after", "answer"), [(0.7, 0.95, "yes"), (0.95, 0.7, "worse"), (0.9, 0.9, "no gain shown")]
)
def test_a_gain_is_yes_only_beyond_chance(before, after, answer):
    chance = np.random.default_rng(0)
    sides = [learned(chance.random((20, 200)) < share) for share in (before, after)]
    one = improve.gain("views", sides[1], sides[0], exam_of(200), 0)
    assert one["answer"] == answer and f"views: {answer}" in one["sentence"]
    assert one["value"] == pytest.approx(one["after"] - one["before"])
    assert one["interval"][0] <= one["value"] <= one["interval"][1] and one["n"] == 200 and one["splits"] == 20
    json.dumps(one)


def test_the_table_says_before_after_and_answer():
    right = np.ones((20, 4), dtype=bool)
    half = right.copy()
    half[:, :2] = False
    sides = [{"resnet18": learned(rights)} for rights in (right, half)]
    found = improve.gains("strong views", *sides, [exam_of(4)], 0)
    row = improve.table(found).splitlines()[2]
    assert row.startswith("| resnet18, strong views | 4 unseen photos, 20 splits | 50.0 % | 100.0 % | +50.0 (")
    entry = improve.accuracy(learned(half), exam_of(4), 0)
    assert entry["value"] == 0.5 and sections.say(entry["value"], entry["interval"]) in entry["sentence"]


def test_the_lighter_network_is_compared_only_where_both_are_there():
    right = np.ones((20, 4), dtype=bool)
    both = {"resnet18": learned(right), "mobilenet_v2": learned(~right)}
    (entries,) = improve.lighter(both, [exam_of(4)], 0).values()
    assert entries["unseen"]["value"] == -1 and entries["unseen"]["answer"] == "worse"
    assert improve.lighter({"resnet18": learned(right)}, [exam_of(4)], 0) == {}


def test_views_of_an_exam_are_shown_as_asked(drawn, source):
    street = improve.exams(drawn, source, None, n=4, seed=0)[1]
    shown = street.dataset(CLASSES)
    plain = data.Photos(street.rows, CLASSES, model.Transform())
    assert isinstance(street.transform, augment.View) and not torch.equal(shown[0][0], plain[0][0])
