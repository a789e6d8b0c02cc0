import shutil

from maskkit.core import paths


def test_root_is_found_from_below_and_from_elsewhere(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_prepare.ipynb").touch()
    assert paths.find_root(tmp_path / "notebooks") == tmp_path
    shutil.rmtree(tmp_path / "notebooks")
    assert (paths.find_root(tmp_path) / "maskkit").is_dir()  # the source tree this package lies in
