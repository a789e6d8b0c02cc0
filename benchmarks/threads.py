"""What waiting threads cost: alone on the machine, and beside another program that wants the same cores.

usage: python benchmarks/threads.py [--weights W] [--repeats N]

Each way is a process of its own, in turns: batches of 16 through MobileNetV2 (packaged weights) and, with W, ResNet18,
and a head's ten epochs on the features of 200 photos, with one thread and with all. Threads wait spinning as libgomp
does by default (300,000 turns), as maskkit has it (1,000 turns), or asleep. The other program is this script's
MobileNetV2 loop, with libgomp's default. Writes results/threads.json and a figure.
"""

import argparse
import os
import subprocess
import sys
import time

import measure
import torch
from torch.utils.data import TensorDataset

from maskkit import model, pretrained, train
from maskkit.core.parallel import torch_threads

WAITING = {
    "spinning": measure.SPINNING,
    "as maskkit has it": {"GOMP_SPINCOUNT": "1000"},
    "asleep": {"OMP_WAIT_POLICY": "PASSIVE"},
}
PASSES = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--run", help=argparse.SUPPRESS)  # how this script calls itself, with the next
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run, given)
        return
    setting = measure.machine()
    networks = ["mobilenet_v2", *(["resnet18"] if given.weights else [])]
    compared = ways(networks, given)
    rows = [measure.row(f"{name}, alone", values) for name, values in in_turns(compared, given).items()]
    with subprocess.Popen(command("busy", given), env=environment("spinning"), stdout=subprocess.PIPE) as busy:
        try:
            begun = busy.stdout.readline()
            rows += [
                measure.row(f"{name}, beside another", values) for name, values in in_turns(compared, given).items()
            ]
            if begun != b"begun\n" or busy.poll() is not None:
                sys.exit("the other program ended: these rows would say nothing")
        finally:
            busy.kill()
    seconds = {row["name"]: row["median_seconds"] for row in rows}
    ratios = {}
    for where in ("alone", "beside another"):
        for name in networks:
            spinning, ours = (seconds[f"{name}, {how}, {where}"] for how in ("spinning", "as maskkit has it"))
            ratios[f"{name}, {where}: spinning / as maskkit has it"] = spinning / ours
        one = seconds[f"head, one thread, {where}"]
        for how in ("spinning", "as maskkit has it"):
            ratios[f"head, {where}: all threads, {how} / one"] = seconds[f"head, all threads, {how}, {where}"] / one
    title = f"A photo through a network, a head's ten epochs, {setting['processors']} cores"
    measure.publish("threads", rows, ratios, title, setting=setting)


def ways(networks, given):
    """{name: (environment, command)}."""
    made = {f"{name}, {how}": (environment(how), command(name, given)) for name in networks for how in WAITING}
    one, all_of_them = (command("head", given, "--threads", str(n)) for n in (1, torch.get_num_threads()))
    made["head, one thread"] = (environment("as maskkit has it"), one)
    return made | {
        f"head, all threads, {how}": (environment(how), all_of_them) for how in ("spinning", "as maskkit has it")
    }


def in_turns(commands, given):
    """{name: [seconds]} of commands that print their own seconds."""

    def way(env, words):
        return lambda: float(subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout)

    return measure.in_turns({name: way(*command) for name, command in commands.items()}, given.repeats, warm_up=False)


def environment(how):
    others = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    return others | WAITING[how]


def command(what, given, *more):
    return [sys.executable, __file__, "--run", what, *(["--weights", given.weights] if given.weights else []), *more]


@torch.inference_mode()
def run(what, given):
    """Within such a process: prints the seconds of one photo, or of a head; "busy" never ends."""
    if what == "head":
        print(head_seconds(given.threads))
        return
    arch, weights = ("resnet18", given.weights) if what == "resnet18" else ("mobilenet_v2", "packaged")
    network = model.for_inference(model.build(pretrained.find(arch, weights), 2, seed=0))
    images = torch.randn(16, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    network(images)
    if what == "busy":
        print("begun", flush=True)
        while True:
            network(images)
    start = time.perf_counter()
    for _ in range(PASSES):
        network(images)
    print((time.perf_counter() - start) / PASSES / len(images))


@torch.inference_mode(False)
def head_seconds(n_threads):
    """Ten epochs of a head on 160 + 40 feature vectors, as of `train.fit_features`, but with `n_threads`."""
    generator = torch.Generator().manual_seed(0)
    X, y = torch.rand(200, 1280, generator=generator), torch.arange(200) % 2
    head = model.new_head(1280, 2, 0)
    settings = {"epochs": 10, "batch_size": 16, "learning_rate": 0.001, "seed": 0, "device": torch.device("cpu")}
    start = time.perf_counter()
    with torch_threads(n_threads):
        train.fit(head, TensorDataset(X[:160], y[:160]), TensorDataset(X[160:], y[160:]), **settings)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
