import pytest
from conftest import TOLERANCE

from maskkit import data, features, model, pretrained, split, train
from maskkit.core import disk, paths
from maskkit.improve import augment
from maskkit.sources import folders


@pytest.mark.numeric
def test_a_recipe_gives_the_numbers_of_02_train(tiny, tmp_path, run_sweep):
    """The notebook's own steps, spelled out as it does."""
    given = tiny | {"EPOCHS": 3, "SEED": 1, "AUGMENT": "report", "VIEWS": 2}
    computed, _ = run_sweep(given)
    (key,) = computed.rows
    (tmp_path / "run").mkdir()
    split.curate(folders.find(tiny["DATA"]), tmp_path / "run", per_class=10, split="grouped", seed=1)
    parts, transform = data.read_split(tmp_path / "run"), model.Transform(32)
    classes = data.classes(parts[0])
    network = model.build(pretrained.find("resnet18", "none"), 2, seed=1)
    photos, val = (data.MaskDataset(rows, tmp_path / "run", classes, transform) for rows in parts)
    views = augment.views(photos, "report", 2, 1)
    X, n_computed = features.extract_each(
        network, "resnet18", [*views, val], cache=paths.CACHE, device=model.device("auto")
    )
    own = train.fit_head(
        network,
        "resnet18",
        [(view, photos.label_tensor()) for view in X[:-1]],
        (X[-1], val.label_tensor()),
        epochs=3,
        batch_size=16,
        learning_rate=0.001,
        seed=1,
    )
    result = disk.read_json(tmp_path / "out" / "recipes" / key / "result.json")
    assert n_computed == 0 and result["val_loss"] == pytest.approx(own.history[-1]["val_loss"], abs=TOLERANCE)
    for name in ("best", "last"):
        assert abs(result[name]["correct"] - getattr(own, name)["correct"]) <= 1
    assert result["right"].count("1") == own.last["correct"] and len(result["right"]) == len(val)
