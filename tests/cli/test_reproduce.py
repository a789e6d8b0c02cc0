from maskkit.cli import main


def test_it_prints_both_epochs_and_the_next_command(project, capsys):
    assert main.main(["reproduce", "--set", "RUN=mine"]) == 0
    *_, best, last, read, after = capsys.readouterr().out.splitlines()
    assert best.startswith("best epoch 1: 39 of 40 (97.5 %") and last.startswith("last epoch 1: 39 of 40")
    assert read == f"read {project / 'runs' / 'mine' / 'report.html'}" and after.endswith("trust --set RUN=mine")


def test_a_mistake_is_one_line(project, capsys):
    (project / "p.yaml").write_text("RUN: first\n")
    assert main.main(["reproduce", str(project / "p.yaml"), "--set", "EPOCS=3"]) == 2
    assert main.main(["reproduce", str(project / "p.yaml"), "--set", "EPOCS"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("maskkit: ") and second == "maskkit: --set 'EPOCS' must read NAME=VALUE"
