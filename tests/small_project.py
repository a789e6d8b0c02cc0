"""Notebooks that need no torch, in a project of their own: for tests of what runs them."""

import json

import nbformat
from conftest import fill
from nbformat.v4 import new_code_cell, new_notebook

from maskkit import evaluate
from maskkit.runner import notebooks


def write_notebook(path, *sources):
    """A notebook of code cells, the first tagged `parameters`."""
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def make_project(root):
    """Below `root`: photos/, and notebooks/ with 01-05, which write their parameters into the run's JSON files.

    01 declares RUN, DATA, RATE; 02 RUN, ARCH, WEIGHTS, N, and fails unless N is 3; 02_train_recipe SHARE too; 03 RUN;
    04 and 05 RUN, DATA, AGAINST. A command started in `root` takes these notebooks, and writes to `root`/runs.
    """
    folder, photos = root / "notebooks", fill(root / "photos", ("with_mask", "without_mask"), 10, size_px=8)
    folder.mkdir()
    run_dir = f"import json, pathlib\nrun_dir = pathlib.Path({str(root / 'runs')!r}) / RUN"
    score = {"epoch": 1, **evaluate.score(39, 40)}
    metrics = f"metrics = {{'rate': RATE, 'run': {{'data': DATA}}}} | dict.fromkeys(('best', 'last'), {score})"
    write_notebook(
        folder / notebooks.REPORT[0],
        f'RUN = "x"\nDATA = {str(photos)!r}\nRATE = 0.5',
        run_dir,
        f"{metrics}\n(run_dir / 'metrics.json').write_text(json.dumps(metrics))",
    )
    network = 'ARCH = "mobilenet_v2"\nWEIGHTS = "none"'
    for name, further in ((notebooks.TRAIN, ""), (notebooks.TRAIN_RECIPE, "\nSHARE = 1.0")):
        write_notebook(folder / name, f'RUN = "x"\n{network}\nN = 3{further}', "assert N == 3, 'N is not 3'")
    write_notebook(folder / notebooks.REPORT[2], 'RUN = "x"', "RUN")
    check = {"result": "pass", "title": "Data", "sentence": "is {DATA}, against {AGAINST}"}
    described = {"code": "MK001", "name": "a", "title": "Data", "muted": None}
    result = json.dumps({"checks": [described], "results": {"a": check}, "gains": {"a": {"b": check}}})
    for name, file in ((notebooks.IMPROVE, "improve.json"), (notebooks.TRUST, "audit.json")):
        fill_in = f"text = {result!r}.replace('{{DATA}}', DATA).replace('{{AGAINST}}', AGAINST)"
        write = f"{fill_in}\n(run_dir / {file!r}).write_text(text)"
        write_notebook(folder / name, 'RUN = "x"\nDATA = "run"\nAGAINST = ""', run_dir, write)
    for name in ("report", "improve", "trust"):
        (folder / f"{name}.yaml").write_text("RUN: report\n")
    return root
