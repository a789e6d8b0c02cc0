from maskkit.cli import main
from maskkit.runner import doctor


def test_every_section_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: ({"versions": {"torch": "9"}}, []))
    assert main.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "torch" in out and "nothing: all is there" in out and out.splitlines()[-1].endswith("reproduce")
