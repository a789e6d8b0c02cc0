import pytest

from maskkit.sweep import folder


def test_a_folder_of_something_else_is_refused(tmp_path):
    folder.SweepFolder(tmp_path / "out", "tiny")
    with pytest.raises(ValueError, match="holds the sweep 'tiny' of version 1, not 'other'"):
        folder.SweepFolder(tmp_path / "out", "other")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ValueError, match="holds something else than a sweep"):
        folder.SweepFolder(tmp_path / "full", "tiny")


def test_auto_that_came_to_something_else_is_refused(tmp_path):
    folder.SweepFolder(tmp_path / "out", "x").record_auto("DATA=auto", "Kaggle 12K")
    with pytest.raises(ValueError, match="DATA=auto came to Kaggle 12K when .* was begun and comes to demo now"):
        folder.SweepFolder(tmp_path / "out", "x").record_auto("DATA=auto", "demo")
