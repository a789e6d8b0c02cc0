import base64

import nbformat
import numpy as np
import pytest
import refresh_notebooks
from PIL import Image

from maskkit.core import paths


@pytest.mark.parametrize("name", refresh_notebooks.IN_README)
def test_readme_s_picture_is_the_committed_notebook_s_figure(tmp_path, name):
    refresh_notebooks.write_thumbnail(paths.NOTEBOOKS / name, tmp_path)
    picture = name.replace(".ipynb", ".png")
    fresh, committed = (
        np.asarray(Image.open(folder / picture).convert("RGB"), dtype=int)
        for folder in (tmp_path, paths.ROOT / "docs" / "figures")
    )
    assert fresh.shape == committed.shape and fresh.shape[1] <= 960 and fresh.shape[0] <= 600
    assert np.abs(fresh - committed).mean() < 1  # another Pillow may round, and choose its colours, otherwise
    assert f"docs/figures/{picture}" in (paths.ROOT / "README.md").read_text()


def test_the_first_notebook_begins_with_the_picture_of_the_third():
    cells = nbformat.read(paths.NOTEBOOKS / "01_prepare.ipynb", 4).cells
    (attached,) = (cell.attachments for cell in cells if "attachments" in cell)
    picture = (paths.ROOT / "docs" / "figures" / refresh_notebooks.RESULT).read_bytes()
    assert base64.b64decode(attached[refresh_notebooks.RESULT]["image/png"]) == picture


def test_a_notebook_without_a_figure_to_stand_for_it_is_named(tmp_path):
    path = tmp_path / "07_other.ipynb"
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])))
    with pytest.raises(ValueError, match="07_other.ipynb needs one cell tagged 'thumbnail'"):
        refresh_notebooks.write_thumbnail(path, tmp_path)
