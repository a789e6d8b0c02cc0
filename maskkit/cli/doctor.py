"""`maskkit doctor`: what this installation has, and what to do about what it lacks."""

import argparse

from maskkit.cli.output import print_next
from maskkit.cli.shared import Commands


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "doctor",
        help="show what is installed, where files are, what can be reached, and what to do",
        description="Versions, device, folders and caches with their sizes, what can be reached, and what to do.",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from maskkit.runner import doctor

    findings, advice = doctor.examine()
    for section, entries in findings.items():
        print(section)
        for name, finding in entries.items():
            print(f"  {name:30} {finding}")
    print("what to do")
    for sentence in advice or ["nothing: all is there"]:
        print(f"  {sentence}")
    print_next("reproduce")
