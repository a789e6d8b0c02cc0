"""The notebooks as a reader meets them, in order, in one JupyterLab: 01, 02, 03 and 06; then Notebook 7; then the page.

`make test-browser` runs this; each test goes on from where the one before it left the run.
"""

import itertools
import re

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from maskkit import corrections
from maskkit.core import disk

PATIENCE_MS = 600_000  # for anything to appear, a notebook's last cell too: a slow machine is no fault
WORKSPACES = (f"lab/workspaces/test-{number}/tree" for number in itertools.count())  # JupyterLab reopens one's tabs
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
WIDTHS = (400, 1400)
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    opened.faults = []
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on("console", lambda said: opened.faults.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()


def run_all(page, server, name, where=None):
    """Open a notebook with a new kernel, empty it, choose Run > Run All Cells, and wait until every cell has run."""
    url, token = server
    for session in page.request.get(f"{url}api/sessions?token={token}").json():
        page.request.delete(f"{url}api/sessions/{session['id']}", headers={"Authorization": f"token {token}"})
    page.goto(f"{url}{where or next(WORKSPACES)}/{name}?token={token}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    wait_for_kernel(page, server)
    choose(page, "Edit", "Clear Outputs of All Cells")
    prompts = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt")
    empty, ran = re.compile(r"^\[ ?\]:$"), re.compile(r"^\[\d+\]:$")
    expect(prompts).to_have_text([empty] * prompts.count())
    choose(page, "Run", "Run All Cells")
    expect(prompts).to_have_text([ran] * prompts.count())
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0


def wait_for_kernel(page, server):
    """Until server and page both call the kernel idle: what it is asked before may never reach it."""
    url, token = server
    for _ in range(PATIENCE_MS // 500):
        kernels = page.request.get(f"{url}api/kernels?token={token}").json()
        if [one for one in kernels if one["execution_state"] == "idle" and one["connections"]]:
            break
        page.wait_for_timeout(500)
    page.wait_for_selector(IDLE)


def choose(page, menu, entry):
    """Click an entry of the menu bar."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


@pytest.mark.parametrize(("name", "n_figures"), [("01_prepare", 2), ("02_train", 1), ("03_evaluate", 4)])
def test_a_notebook_of_the_report_runs_and_shows_its_figures(page, server, project, pictures, name, n_figures):
    run_all(page, server, f"{name}.ipynb")
    figures = page.locator(".jp-OutputArea-output img")
    expect(figures.first).to_be_visible()
    assert figures.count() >= n_figures
    assert all(figures.evaluate_all("all => all.map(one => one.complete && one.naturalWidth > 100)"))
    page.screenshot(path=f"{pictures}/{name}.png")
    assert (project / "runs" / "demo" / "metrics.json").is_file()


def status(page):
    return page.locator(".maskkit [role=status]")


def relabel(page, number, choice):
    """Click a choice under a tile of the gallery; returns the photo's name."""
    tile = page.locator(".mk-tile").nth(number)
    name = tile.locator("img").get_attribute("alt")
    tile.get_by_role("button", name=choice).click()
    return name


def test_a_label_changed_in_06_moves_the_numbers_and_is_in_the_file(page, server, project, pictures):
    file = project / "data" / "corrections.csv"
    run_all(page, server, "06_explore.ipynb")
    expect(page.locator(".mk-tile").first).to_be_visible()
    assert page.locator(".mk-tile").count() == 12
    filtered = page.locator(".maskkit select")
    filtered.nth(2).select_option("validation photos")
    filtered.nth(3).select_option("right")
    filtered.nth(1).select_option("with_mask")
    expect(page.locator(".mk-tile").first).to_contain_text("val")
    before = status(page).inner_text()
    matrix, curves = (page.locator(".mk-figure img").nth(at) for at in (0, 1))
    pictured = [one.get_attribute("src") for one in (matrix, curves)]
    page.locator(".maskkit").first.screenshot(path=f"{pictures}/06_before.png")

    name = relabel(page, 0, "without_mask")
    expect(status(page)).to_contain_text("1 label changed")
    (row,) = disk.read_csv(file)
    assert (row["action"], row["label"], row["found"]) == ("relabel", "without_mask", "with_mask")
    assert row["source"].endswith(name)
    after = status(page).inner_text()
    assert score(after) != score(before) and "changed what is measured" in after
    for one, old in zip((matrix, curves), pictured, strict=True):
        expect(one).not_to_have_attribute("src", old)
    filtered.nth(3).select_option("changed")
    filtered.nth(1).select_option("all")
    expect(page.locator(".mk-tile")).to_have_count(1)
    page.locator(".maskkit").first.screenshot(path=f"{pictures}/06_after.png")

    page.get_by_role("button", name="undo").click()
    expect(status(page)).to_contain_text("0 labels changed")
    assert disk.read_csv(file) == [] and score(status(page).inner_text()) == score(before)
    filtered.nth(3).select_option("all")
    relabel(page, 0, "excluded")
    expect(status(page)).to_contain_text("1 photo excluded")
    assert list(corrections.labels(file).values()) == [None]


def score(words):
    """'36 of 40' at the head of the gallery."""
    return re.search(r"\d+ of \d+", words)[0]


def upload(page, name, content):
    """Choose a file as the button "Choose a photo" asks for it."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files({"name": name, "mimeType": "image/png", "buffer": content})


def test_06_goes_on_where_it_was_left_and_answers_a_face(page, server, project, pictures):
    run_all(page, server, "06_explore.ipynb")
    expect(status(page)).to_contain_text("1 photo excluded")
    slider = page.locator(".maskkit .noUi-handle").first
    slider.focus()
    slider.press("End")
    expect(page.locator(".maskkit").nth(1)).to_contain_text(re.compile(r"[1-9]\d*\.\d % “don't know”"))
    face = next((project / "runs" / "demo" / "data-mask" / "with_mask").iterdir())
    upload(page, "<b>face.png", face.read_bytes())
    answer = page.locator(".maskkit").nth(2)
    expect(answer.locator("img")).to_be_visible()
    expect(answer).to_contain_text("<b>face.png: with_mask")
    answer.screenshot(path=f"{pictures}/06_face.png")
    page.locator(".maskkit").nth(1).screenshot(path=f"{pictures}/06_threshold.png")
    upload(page, "no.png", b"no photo")
    expect(answer).to_contain_text("not a photo of a known kind")
    # ipywidgets' own slider handle has no name; the number field beside it has.
    assert faults_found(page, {"include": [".maskkit"], "exclude": [".noUi-handle"]}) == []
    page.set_viewport_size({"width": 1400, "height": 9000})
    page.screenshot(path=f"{pictures}/06_whole.png")


def test_06_works_in_notebook_7(page, server, pictures):
    run_all(page, server, "06_explore.ipynb", where="notebooks")
    expect(page.locator(".mk-tile")).to_have_count(12)
    page.get_by_role("button", name="undo").click()
    expect(status(page)).to_contain_text("0 photos excluded")
    page.screenshot(path=f"{pictures}/06_notebook7.png")


SWEEP = """
from dask.distributed import Client
from maskkit.sweep import sweep

grid = {"version": 1, "RUN": "seen", "DATA": "demo", "PER_CLASS": 20, "ARCH": "mobilenet_v2", "WEIGHTS": "none",
        "SIZE_PX": 64, "EPOCHS": 2, "LEARNING_RATE": [0.001, 0.01], "SEED": [0, 1]}
with Client(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as client:
    found = sweep.run(grid, client=client)
print(found.counts)
"""


def test_a_sweep_on_workers_runs_in_the_notebook(page, server, project, pictures):
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}  # or Lab asks
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SWEEP)], metadata=kernel)
    nbformat.write(notebook, project / "notebooks" / "07_sweep.ipynb")
    run_all(page, server, "07_sweep.ipynb")
    output = page.locator(".jp-OutputArea")
    expect(output).to_contain_text("4 recipes: 0 done, 0 broken, 4 to compute")
    expect(output).to_contain_text("'done': 4")
    page.screenshot(path=f"{pictures}/sweep.png")
    assert (project / "runs" / "sweep-seen" / "sweep.html").is_file()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_report_html_reads_well(page, project, pictures, width, scheme):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((project / "runs" / "demo" / "report.html").as_uri())
    expect(page.locator("h1")).to_be_visible()
    page.screenshot(path=f"{pictures}/report_{width}_{scheme}.png", full_page=True)
    assert page.faults == []
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert faults_found(page) == []


def faults_found(page, context=None):
    """What axe-core finds wrong, one line each."""
    found = Axe().run(page, context=context).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"][:3]]
