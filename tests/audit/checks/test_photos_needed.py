"""The check of how many photos are needed."""

import dataclasses

import numpy as np

from maskkit.audit.checks import photos_needed
from tests.audit.synthetic import CONTEXT, audited, features

CHECK = photos_needed.CHECK


def measured(n, distance, **more):
    X, labels = features(n, distance)
    return CHECK.measure(audited(X, labels, **more), CONTEXT)


def test_an_easy_task_has_enough_photos():
    found = measured(200, 6.0)
    assert CHECK.result(found)["result"] == "pass"
    sentence = found.judged["sentence"]
    assert sentence.startswith("With 100 more photos, accuracy would rise by 0.0 to 0.")
    assert "For an interval of 3 points you need " in sentence and sentence.endswith(" validation photos")


def test_the_photos_used_now_are_those_of_the_model():
    training = np.arange(200) < 60
    found = measured(200, 1.0, training=training)
    assert found.entries["now"]["n"] == 200  # training and validation
    X, labels = features(200, 1.0)
    entries = photos_needed.entries_of(X, labels, np.arange(200), 100, audited(X, labels).recipe, 0, width=0.1)
    photos = [point["photos"] for point in entries["now"]["learned"]]
    assert entries["now"]["n"] == 100 and 100 in photos and 150 < photos[-1] <= 200
    assert "an interval of 10 points" in entries["more"]["sentence"].lower().replace("for an", "an")
    assert entries["accuracy_double"]["sentence"].startswith("with 200 photos instead of 100 the accuracy would be ")


def test_too_few_photos_and_tuned_networks_are_not_measured():
    found = measured(12, 1.0)
    assert CHECK.result(found)["result"] == "unknown" and "needs 10" in found.judged["sentence"]
    X, labels = features(60, 1.0)
    tuned = audited(X, labels)
    tuned.classifiers["resnet18"] = dataclasses.replace(tuned.classifier, tuned=True)
    assert "fine-tuned" in CHECK.measure(tuned, CONTEXT).judged["sentence"]


def test_the_figure_shows_the_curve():
    found = measured(120, 1.0)
    audit = {"arch": "a", "model": "m", "n": 120, "photos": "p"}
    figure = photos_needed.draw(audit | {"photos_needed": found.entries})
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "forecast" in names and "measured on the other photos, 95 % interval" in names
