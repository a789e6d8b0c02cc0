"""Nothing that is read can run, nothing that is written can, and nothing of the user's leaves."""

import ast
import json
import os
import re
import socket
from pathlib import Path

import nbformat
import pytest
from conftest import draw_photo
from hypothesis import given, settings
from hypothesis import strategies as st

from maskkit import evaluate, split
from maskkit.core import disk, environment, paths
from maskkit.deploy import page
from maskkit.deploy.summary import Summary
from maskkit.sources import decoding, kaggle

ROOT = Path(__file__).resolve().parents[2]
fault = lambda name: pytest.mark.fault("security", name)  # noqa: E731 (a mark's short name)

# --- code ---------------------------------------------------------------------------------------


def sources():
    """{name: Python source} of all that ships: the package, the benchmarks, the notebooks' code cells."""
    found = {
        str(path.relative_to(ROOT)): path.read_text()
        for folder in ("maskkit", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    }
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, 4).cells
        found[f"notebooks/{path.name}"] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return found


UNPICKLERS = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")


def dangers(source):
    """What of a source could run a file or a string, as text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        imported = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in imported if name.split(".")[0] in UNPICKLERS]
        if not isinstance(node, ast.Call):
            continue
        name, given = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
        unsafe = (
            name in ("eval", "exec", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load")
            or given.get("shell", "False") != "False"
            or given.get("allow_pickle", "False") != "False"
            or given.get("trust_remote_code", "False") != "False"
            or name in ("torch.load", "load_state_dict_from_url")
            and given.get("weights_only") != "True"
            or name == "Image.open"
            and "formats" not in given
        )
        found += [ast.unparse(node)] if unsafe else []
    return found


@fault("code that runs a file or a string")
def test_nothing_that_ships_can_run_a_file_or_a_string():
    found = sources()
    assert len(found) > 40
    assert {name: own for name, source in found.items() if (own := dangers(source))} == {}
    text = "\n".join(found.values())
    for words in ("pickle.load", "weights_only=False", "shell=True"):
        assert words not in text


@fault("code that runs a file or a string")
@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "exec(x)",
        "torch.load(path)",
        "yaml.load(text)",
        "torch.load(path, weights_only=False)",
        "subprocess.run(x, shell=True)",
        "np.load(x, allow_pickle=True)",
        "Image.open(path)",
    ],
)
def test_the_search_finds_each_kind(source):
    assert len(dangers(source)) == 1


@fault("telemetry")
def test_only_downloads_and_the_doctor_know_the_network_and_nothing_but_the_demo_listens():
    known, listening = {}, []
    for name, source in sources().items():
        tree = ast.walk(ast.parse(source))
        imported = {
            word.split(".")[0]
            for node in tree
            if isinstance(node, ast.Import | ast.ImportFrom)
            for word in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [x.name for x in node.names])
        }
        reaching = imported & {"socket", "http", "urllib", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "ssl"}
        known |= {name: reaching} if reaching else {}
        if re.search(r"\.(bind|serve_forever)\(|create_server|start_server|socketserver", source):
            listening.append(name)
    # A download's time limit; `maskkit doctor` asks whether the sources answer. kaggle.py leaves it to kagglehub.
    ours = {
        "maskkit/runner/warm_kernels.py": {"socket"},  # a pair of sockets between two of our processes
        "maskkit/deploy/demo_server.py": {"socket"},  # a page on loopback: tests/deploy/test_demo.py
    }
    assert listening == ["maskkit/deploy/demo_server.py"]
    assert known == ours | {"maskkit/pretrained.py": {"http", "socket"}, "maskkit/runner/doctor.py": {"urllib"}}


# --- photos -------------------------------------------------------------------------------------


@fault("photo format not allowed")
@pytest.mark.parametrize("format", ["PPM", "TGA", "ICO", "EPS", "PCX", "SGI", "ICNS", "DDS", "PDF", "MSP"])
def test_other_formats_of_pillow_are_refused_whatever_their_name(tmp_path, format):
    try:
        draw_photo(0).save(tmp_path / "x", format)
    except (KeyError, OSError, ValueError):
        pytest.skip(f"Pillow here does not write {format}")
    (tmp_path / "x").rename(tmp_path / "x.jpg")
    known = r"\(JPEG, PNG, WEBP, BMP, GIF, TIFF, AVIF, HEIF, JPEG2000\)"
    with pytest.raises(ValueError, match=f"not a photo of a known kind {known}"):
        decoding.decode(tmp_path / "x.jpg")


# --- what is written ----------------------------------------------------------------------------

NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&|"


@fault("HTML in a name")
def test_names_are_text_on_the_page_of_predict(tmp_path):
    draw_photo(0).save(tmp_path / "x.png")
    os.rename(tmp_path / "x.png", tmp_path / NASTY.replace("/", "∕"))
    summary = Summary((NASTY, "b"))
    good = str(tmp_path / NASTY.replace("/", "∕"))
    summary.add({"file": good, "label": NASTY, "probability": 0.5, "note": ""})
    summary.add({"file": NASTY, "label": None, "probability": None, "note": NASTY})
    text = page.write(summary, {"model": NASTY}, tmp_path / "page.html").read_text()
    assert "alert(1)" in text and "<script" not in text and "<img src=x" not in text


@fault("HTML in a name")
def test_a_class_name_is_text_in_a_notebook_s_table():
    row = {"class": NASTY, "precision": 1.0, "recall": 1.0, "f1": 1.0, "recall_interval": [0.5, 1.0], "n": 3}
    table = evaluate.format_per_class([row])
    borders = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
    assert "<" not in table and borders == {7}


FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
names = st.text(st.characters(exclude_categories=()), max_size=8)
names |= st.text(st.sampled_from("'=+-@\t\r\n\",; a"), max_size=8)


@fault("formula in a CSV cell")
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(names)
def test_an_escaped_cell_runs_nothing_and_is_restored(name):
    cell = disk.escape(name)
    assert not cell.startswith(FORMULAS) and disk.unescape(cell) == name


@fault("formula in a CSV cell")
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.binary(min_size=1, max_size=8).map(os.fsdecode).filter(lambda name: "\0" not in name), max_size=4))
def test_every_file_name_comes_back_from_a_table(tmp_path_factory, found):
    path = tmp_path_factory.getbasetemp() / "names.csv"
    rows = [{"source": name, "label": "=1+1", "reason": "-", "detail": ""} for name in found]
    disk.write_csv(path, rows, split.REJECTED_COLUMNS)
    assert disk.read_csv(path) == rows
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    assert not re.search(r"(^|,|\n)=1", text) and (not rows or "'=1+1,'-" in text)


@fault("formula in a CSV cell")
def test_a_negative_number_stays_a_number(tmp_path):
    disk.write_csv(tmp_path / "x.csv", [{"a": -0.5, "b": "-0.5"}], ("a", "b"))
    assert (tmp_path / "x.csv").read_text() == "a,b\n-0.5,'-0.5\n"


# --- what leaves --------------------------------------------------------------------------------

TOKENS = ("KAGGLE_KEY", "KAGGLE_API_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")
SECRET = "sEcReT-f00dfeed"
LOOKS_LIKE_ONE = re.compile(
    r"KGAT_\w{8}|hf_[A-Za-z]\w{20}|gh[pousr]_\w{20}|github_pat_|AKIA[A-Z0-9]{16}|xox[bp]-|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\"key\": ?\"[0-9a-f]{32}\"|[?&](token|access_token|sig)=|https?://[^/@\s\"]+:[^/@\s\"]+@"
)


@pytest.fixture
def run(tmp_path, monkeypatch, photo_folder, capsys):
    """(folder, addresses asked for, what was printed) of a small run of 01 and 02; tokens lie in the environment."""
    for name in TOKENS:
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    reached = []

    def connect(self, address):
        reached.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: connect(None, address))
    given = {
        "RUN": "x",
        "DATA": str(photo_folder),
        "PER_CLASS": 10,
        "ARCH": "resnet18",
        "WEIGHTS": "none",
        "SIZE_PX": 32,
        "EPOCHS": 1,
        "DEVICE": "cpu",
    }
    for name in ("01_prepare.ipynb", "02_train_recipe.ipynb"):
        scope = {}
        for cell in (cell for cell in nbformat.read(ROOT / "notebooks" / name, 4).cells if cell.cell_type == "code"):
            exec(cell.source, scope)
            scope |= given if "parameters" in cell.metadata.get("tags", []) else {}
    said = capsys.readouterr()
    return tmp_path / "runs" / "x", reached, said.out + said.err


@fault("telemetry")
@fault("token in a run folder or output")
def test_a_run_reaches_nobody_and_holds_no_token(run):
    run_dir, reached, said = run
    assert (run_dir / "model.safetensors").is_file() and reached == []
    files = [path for path in run_dir.rglob("*") if path.is_file()]
    assert len(files) > 25
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert "16 train, 4 validation" in said and SECRET not in said


@fault("token in a run folder or output")
def test_no_committed_notebook_holds_what_looks_like_a_token():
    texts = {path.name: path.read_text() for path in (ROOT / "notebooks").iterdir() if path.is_file()}
    assert len(texts) >= 6 and not {name for name, text in texts.items() if LOOKS_LIKE_ONE.search(text)}
    for token in ("hf_" + "a" * 30, json.dumps({"key": "0" * 32}), "https://me:word@host/", "ghp_" + "1" * 36):
        assert LOOKS_LIKE_ONE.search(token)


@fault("token in a run folder or output")
def test_a_proxy_s_password_is_not_told():
    said = str(kaggle.explain("Cannot connect to proxy http://me:word@proxy:3128/ (407)"))
    assert "word@" not in said and "proxy:3128" in said and kaggle.PAGE in said


@fault("token in a run folder or output")
def test_the_environment_that_is_recorded_holds_no_variable_of_it(monkeypatch):
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    assert SECRET not in json.dumps(environment.environment())
