"""`maskkit demo`: a trained model in a browser, on this machine only."""

import argparse

from maskkit.cli import shared


def add(commands: shared.Commands) -> None:
    command = commands.add_parser(
        "demo",
        help="try a trained model in a browser: a picture or the camera",
        description="Serve a page on this machine only: it finds the faces in a picture or a camera image, and shows "
        "for each the class, the confidence and an occlusion map. Nothing is sent elsewhere. Needs the extra [demo].",
        epilog="example: maskkit demo --model report",
    )
    command.add_argument("--model", required=True, metavar="RUN", help="a run's name or folder")
    command.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        default=0.8,  # docs/faces.md has the shares of right answers above and below it
        help='a face whose probability is below it is called "not sure" (default: %(default)s)',
    )
    command.add_argument("--port", type=int, default=7860, metavar="N", help="default: 7860; 0 takes any free one")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.set_defaults(run=run, interrupted="the pictures that were given to the page are deleted")


def run(arguments: argparse.Namespace) -> None:
    import tempfile
    from pathlib import Path

    from maskkit import runs
    from maskkit.deploy import demo, demo_server
    from maskkit.sources import face_finder

    run_dir = runs.find(arguments.model)
    demo_server.need_gradio()  # before the model, which takes seconds
    find = face_finder.load()
    judge = demo.Judge(find, *demo.load_model(run_dir, arguments.device), arguments.threshold)
    with demo_server.listen(arguments.port) as listener, tempfile.TemporaryDirectory(prefix="maskkit-demo-") as folder:
        application = demo_server.build(judge, Path(folder))
        print(f"open http://{demo_server.HOST}:{listener.getsockname()[1]} in a browser; Ctrl+C ends the demo")
        demo_server.serve(application, listener)
