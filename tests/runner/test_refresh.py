"""The outputs of committed notebooks hold nothing that differs between two equal runs."""

import nbformat
import refresh_notebooks
from nbformat.v4 import new_markdown_cell, new_output
from small_project import write_notebook


def test_outputs_hold_no_progress_no_widget_and_one_stream():
    stream = [new_output("stream", name=name, text=text) for name, text in (("stdout", "a"), ("stderr", "50 %"))]
    widget = new_output("display_data", data={refresh_notebooks.WIDGET: {}, "text/plain": "a widget"})
    figure = new_output("display_data", data={"image/png": "..."})
    more = new_output("stream", name="stdout", text="b")
    kept = refresh_notebooks.clean_outputs([*stream, more, widget, figure])
    assert [output.get("text", "figure") for output in kept] == ["ab", "figure"]


def test_a_refreshed_notebook_is_the_same_each_time(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "N = 2", "import sys\nprint(N)\nprint('50 %', file=sys.stderr)")
    notebook = nbformat.read(path, 4)
    notebook.cells.append(new_markdown_cell("text", metadata={"collapsed": True}))
    nbformat.write(notebook, path)
    refresh_notebooks.refresh_notebook(path)
    first = path.read_bytes()
    refresh_notebooks.refresh_notebook(path)
    assert path.read_bytes() == first
    cells = nbformat.read(path, 4).cells
    assert [output.text for output in cells[1].outputs] == ["2\n"]
    assert [dict(cell.metadata) for cell in cells] == [{"tags": ["parameters"]}, {}, {}]
