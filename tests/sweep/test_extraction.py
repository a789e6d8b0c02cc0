import pytest
import torch

from maskkit import data, features
from maskkit.sweep import extraction
from maskkit.sweep.recipe_inputs import Backbone, Draw, FeatureSettings

CPU = torch.device("cpu")


@pytest.fixture
def draws(curated):
    """Two draws of 30 photos: of all, and of two thirds of them."""
    run_dir, _ = curated
    rows = [row | {"path": run_dir / "data-mask" / row["file"]} for part in data.read_split(run_dir) for row in part]
    return Draw("all", tuple(rows)), Draw("some", tuple(row for index, row in enumerate(rows) if index % 3))


@pytest.mark.parametrize("augment", ["none", "strong", "occluded"])
def test_jobs_fill_the_cache_with_what_a_recipe_would_compute(draws, augment, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "CHUNK", 7)
    changed = augment != "none"
    settings = FeatureSettings(
        Backbone("resnet18", "none"), 32, augment, 2 if changed else 1, 1 if changed else 0, 0, "cpu", str(tmp_path)
    )
    for job in extraction.extraction_jobs((draw, settings) for draw in draws):
        extraction.compute_features(*job)
    network = settings.backbone.network()
    for draw in draws:
        views, val, bias_views = settings.datasets(draw)
        for photos in (*views, val, *bias_views):
            filled, n_computed = features.extract(network, "resnet18", photos, cache=tmp_path, device=CPU)
            alone, _ = features.extract(network, "resnet18", photos, cache=tmp_path / "alone", device=CPU)
            assert n_computed == 0 and torch.allclose(filled, alone, atol=1e-4 * alone.abs().max())
