"""`maskkit trust` and `maskkit improve`: what their notebooks found is printed, and the next command."""

from maskkit.cli import main


def test_trust_prints_each_check_and_improve_each_gain(project, capsys):
    photos = project / "photos"
    assert main.main(["trust", "--set", "RUN=mine"]) == 0
    *_, check, _, after = capsys.readouterr().out.splitlines()
    assert check == f"MK001  pass         Data: is {photos}, against " and after.endswith("improve --set RUN=mine")
    assert main.main(["improve", "--set", "RUN=mine", "--set", "DATA=demo"]) == 0
    *_, gain, read, after = capsys.readouterr().out.splitlines()
    assert gain == "is demo, against " and read.endswith("04_improve.ipynb")
    assert after.endswith("predict YOUR_PHOTOS --model mine")
