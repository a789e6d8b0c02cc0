"""The page of `maskkit demo`: Gradio's, served on loopback only, kept from loading, sending or reading anything else.

Gradio answers more addresses than its page needs: some fetch from other hosts, and file= gives out local files. So only
the page's own addresses are served (`guard`), and the browser is told to load from here alone (`POLICY`).
"""

import importlib.util
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit.deploy import demo
from maskkit.html import markup
from maskkit.html.render import render

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

HOST = "127.0.0.1"
MAX_UPLOAD = 30_000_000  # bytes; a phone's photo of 50 megapixels has fewer
MAX_OVERHEAD = 65_536  # bytes of a request beside the file
MAX_WAITING = 8  # pictures in the queue
DELETE_SECONDS = 60, 600  # how often pictures are deleted, and at which age
OFFLINE = {  # read when Gradio and huggingface_hub are imported: no usage statistics, no version check
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
# Gradio's page has scripts in its HTML, and compiles functions ('unsafe-eval') to show HTML.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
# A browser cannot show every file, such as a HEIC photo or one that is damaged: its sign for that is hidden.
HEAD = """<script>
for (const [event, shown] of [["error", "hidden"], ["load", ""]])
  document.addEventListener(event, ({target}) => {
    if (target.tagName === "IMG") target.style.visibility = shown;
  }, true);
</script>"""
SERVED = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json)|/(assets|static)/.+|"
    r"/gradio_api/(info|startup-events|heartbeat/\w+|queue/(join|data)|upload|upload_progress|cancel|reset)/?"
)
FILE = "/gradio_api/file="
FONTS = ("system-ui", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")  # installed ones; none is loaded
MONO_FONTS = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def need_gradio() -> None:
    """Raise FileNotFoundError where the extra [demo] is not installed; nothing is imported, see OFFLINE."""
    if importlib.util.find_spec("gradio") is None:
        raise FileNotFoundError("the demo needs gradio: pip install -e '.[demo]'")


def build(judge: demo.Judge, folder: Path) -> "FastAPI":
    """The page as an ASGI application.

    Args:
        folder: an empty one of this application's own, for the pictures that are given to it.
    """
    os.environ.update(OFFLINE, GRADIO_TEMP_DIR=str(folder), GRADIO_EXAMPLES_CACHE=str(folder / "examples"))
    import fastapi
    import gradio

    application = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    application.middleware("http")(guard(folder))
    return gradio.mount_gradio_app(
        application,
        page(judge, folder),
        "/",
        server_name=HOST,
        footer_links=[],
        run_history=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        show_error=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=gradio.themes.Base(primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=MONO_FONTS),
        css=markup.css("demo.css"),
        head=HEAD,
    )


def page(judge: demo.Judge, folder: Path) -> Any:
    """Gradio's page: a picture or the camera, and the answer to it."""
    import gradio

    latest: dict[str | None, object] = {}  # of each open page

    def answers(path: str | None, request: gradio.Request) -> Iterator[Any]:
        """A newer picture ends the answer to an older one: its occlusion maps are no longer waited for."""
        mine = latest[request.session_hash] = object()
        for answer in demo.answers(path, judge):
            if latest[request.session_hash] is not mine:
                yield gradio.skip()  # Gradio shows the last output once more when a generator ends
                return
            yield answer

    with gradio.Blocks(title="maskkit demo", analytics_enabled=False, delete_cache=DELETE_SECONDS) as blocks:
        gradio.HTML(render("demo.html", state="title", about=judge.classifier.about, minutes=sum(DELETE_SECONDS) // 60))
        with gradio.Row():
            with gradio.Column(scale=2, min_width=320):
                picture = picture_input(folder)
            with gradio.Column(scale=3, min_width=320):
                shown = gradio.HTML(next(demo.answers(None, judge)))
        picture.change(
            answers,
            picture,
            shown,
            api_visibility="private",
            show_progress="minimal",
            trigger_mode="multiple",
            concurrency_limit=2,
        )
    blocks.queue(max_size=MAX_WAITING, api_open=False)
    return blocks


def picture_input(folder: Path) -> Any:
    """Gradio's input of a picture, which gives the path of a file in a folder: `demo.answers` decodes it.

    Within another application Gradio checks no path: it would read any file that a request names, and fetch addresses.
    The input is changed here, not subclassed: for a subclass Gradio writes a .pyi file beside this one.
    """
    import gradio

    picture: Any = gradio.Image(
        label="Picture or camera", sources=["upload", "webcam", "clipboard"], height=360, buttons=[]
    )
    keep = picture.async_move_resource_to_block_cache

    def need_uploaded(path: str) -> str:
        if not is_within(path, folder):
            raise gradio.Error("only pictures that were uploaded here are read")
        return path

    async def keep_file(path: str | None) -> str | None:
        return await keep(path and need_uploaded(path))  # Gradio would download an address here

    picture.async_move_resource_to_block_cache = keep_file
    picture.preprocess = lambda payload: payload and need_uploaded(payload.path)
    return picture


def is_within(path: str, folder: Path) -> bool:
    """Whether a file lies in a folder, links resolved."""
    return Path(os.path.realpath(path)).is_relative_to(folder.resolve())


def guard(folder: Path) -> Callable[..., Awaitable["Response"]]:
    """A middleware: it refuses what the page does not need, and names in each answer what a browser may load."""

    async def check(request: "Request", call_next: Callable[["Request"], Awaitable["Response"]]) -> "Response":
        from fastapi import Response

        status = refusal(request, folder)
        response = Response(status_code=status) if status else await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return check


def refusal(request: "Request", folder: Path) -> int | None:
    """The status of a refused request; None: it is served."""
    path = request.url.path
    if request.url.hostname not in (HOST, "localhost"):
        return 400  # another name that leads here: a page from elsewhere could read the answers
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and path != "/":
        return 403  # sent by a page from elsewhere
    own = path.startswith(FILE) and is_within(path.removeprefix(FILE), folder)
    if not own and not SERVED.fullmatch(path):
        return 404
    length = request.headers.get("content-length", "")
    if request.method == "POST" and not length.isdecimal():
        return 411
    limit = MAX_OVERHEAD + (MAX_UPLOAD if path.rstrip("/").endswith("/upload") else 0)
    return 413 if length.isdecimal() and int(length) > limit else None


def listen(port: int) -> socket.socket:
    """A socket on loopback.

    Args:
        port: 0 takes any free one.

    Raises:
        ValueError: another program has the port.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ValueError(f"--port {port} cannot be used ({error}); give another one, or 0 for any") from error
    return listener


def serve(application: "FastAPI", listener: socket.socket) -> None:
    """Answer until a signal comes, which is raised again."""
    import uvicorn

    config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listener])
