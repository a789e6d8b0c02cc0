"""Seconds until something useful appears: the command line, the imports, a kernel, the notebooks' own work.

usage: python benchmarks/start.py [--repeats N]

Each is a process of its own. `maskkit reproduce` takes the synthetic faces, MobileNetV2 and cached features, and leaves
runs/bench-start. Prints the heaviest imports of the package. Writes results/start.json and a figure.
"""

import argparse
import subprocess
import sys

import measure

MODULES = ("data", "model", "features", "train", "plots", "audit.audit")
KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive("1 + 1")
client.stop_channels(); manager.shutdown_kernel(now=True)
"""


def run(*command):
    subprocess.run([sys.executable, "-P", *command], check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    given, setting = parser.parse_args(), measure.machine()
    ways = {
        "python, nothing else": lambda: run("-c", ""),
        "maskkit --help": lambda: run("-m", "maskkit", "--help"),
        "a kernel's first answer": lambda: run("-c", KERNEL),
    }
    ways |= {f"import maskkit.{name}": lambda name=name: run("-c", f"import maskkit.{name}") for name in MODULES}
    demo = ("RUN=bench-start", "DATA=demo", "ARCH=mobilenet_v2", "WEIGHTS=packaged")
    settings = [word for setting in demo for word in ("--set", setting)]
    ways["maskkit reproduce, warm"] = lambda: run("-m", "maskkit", "reproduce", *settings)
    seconds = measure.in_turns(ways, given.repeats)
    rows = [measure.row(name, values) for name, values in seconds.items()]
    medians = {row["name"]: row["median_seconds"] for row in rows}
    ratios = {
        "help_vs_python": medians["maskkit --help"] / medians["python, nothing else"],
        "three_kernels_of_reproduce": 3 * medians["a kernel's first answer"] / medians["maskkit reproduce, warm"],
    }
    heavy = heaviest("import maskkit.audit.audit")
    measure.publish("start", rows, ratios, "Until something useful appears", heaviest_imports=heavy, setting=setting)
    for name, duration in heavy:
        print(f"{duration:8.3f} s  {name}")


def heaviest(statement, n=8):
    """[(top-level package, seconds of importing it and what it imports first)], the slowest first."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    packages = {}
    for line in lines[1:]:
        _, total, name = line.removeprefix("import time:").split("|")
        if "." not in name.strip():
            packages[name.strip()] = int(total) / 1e6
    return sorted(packages.items(), key=lambda item: -item[1])[:n]


if __name__ == "__main__":
    main()
