"""A throw-away copy of the project with a Jupyter server of its own, and a browser: Debian's Chromium."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from maskkit.core import paths

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SETTINGS = {  # of JupyterLab: every cell in the page though out of sight, and nothing asked of the network
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
START_SECONDS = 120


@pytest.fixture(scope="session")
def chromium():
    """The browser's program."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.fail(f"there is no {' or '.join(BROWSERS)} here; install one: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """A folder with the notebooks, the package and nothing else: no run, no photo, no cache."""
    root = tmp_path_factory.mktemp("project")
    for name in ("notebooks", "maskkit"):
        shutil.copytree(paths.ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_*"))
    return root


@pytest.fixture(scope="session")
def server(project, tmp_path_factory):
    """The address of a Jupyter server on the copy, on this machine only, with its token."""
    own = tmp_path_factory.mktemp("jupyter")
    for name, content in SETTINGS.items():
        path = own / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"),
        "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "IPYTHONDIR": str(own / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONPATH": str(project),
        "MASKKIT_CACHE": str(own / "cache"),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        "--ServerApp.root_dir=notebooks",
    ]
    with open(own / "log", "w") as log:
        process = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield wait_for_address(own, process)
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_for_address(own, process):
    """(url, token) as the server writes them beside its process id once it listens."""
    written = own / "runtime" / f"jpserver-{process.pid}.json"
    end = time.monotonic() + START_SECONDS
    while not written.is_file():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"JupyterLab did not start:\n{(own / 'log').read_text()[-3000:]}")
        time.sleep(0.2)
    said = json.loads(written.read_text())
    return said["url"], said["token"]


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def pictures(request):
    """Where screenshots go: MASKKIT_SCREENSHOTS, or pytest's own temporary folder."""
    folder = os.environ.get("MASKKIT_SCREENSHOTS") or request.getfixturevalue("tmp_path_factory").mktemp("pictures")
    os.makedirs(folder, exist_ok=True)
    return folder
