"""Every place that names the extras names the same ones."""

import re
import tomllib

from maskkit.core import paths
from maskkit.runner import doctor

APART = ("bench", "demo")  # fastai, for `make bench` alone; Gradio, whose older Pillow is for `make test-demo` alone


def test_extras_are_the_same_wherever_they_are_named():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = list(project["optional-dependencies"])
    makefile, environment, table = (
        (paths.ROOT / name).read_text(encoding="utf-8")
        for name in ("Makefile", "environment.yml", "docs/dependencies.md")
    )
    everyday = [name for name in extras if name not in APART]
    installed = [found.split(",") for found in re.findall(r"--editable '\.\[([a-z,]+)\]'", makefile)]
    assert [["offline"], everyday, ["offline", "lab"], ["bench"]] == installed
    assert re.findall(r"--extra ([a-z]+)", makefile) == everyday
    (conda,) = re.findall(r"-e \.\[([a-z,]+)\]", environment)
    assert conda.split(",") == everyday
    assert set(re.findall(r"^\| `\[([a-z]+)\]`", table, re.MULTILINE)) == set(extras)
    assert set(doctor.EXTRAS) == {*everyday, "demo"}


def test_the_lock_file_holds_what_the_extras_ask_for():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["dependencies"] + [
        one for name, packages in project["optional-dependencies"].items() if name not in APART for one in packages
    ]
    names = {re.match(r"[\w.-]+", one)[0].lower().replace("_", "-") for one in asked}
    lock = (paths.ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert names <= set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
