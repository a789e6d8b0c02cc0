import io
import os

from maskkit.deploy import photo_files


def test_names_between_nuls_stay_as_they_are():
    for names in ([b"./a", b"./b"], [b"abc", b"def", b"ghi"], [b"a", b"bcd"], ["é".encode(), b"\xfe\xff"], [b"a\nb"]):
        assert photo_files.read_list(io.BytesIO(b"\0".join(names) + b"\0")) == [os.fsdecode(name) for name in names]


def test_linked_folders_are_entered_once(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "x.png").touch()
    (tmp_path / "near").mkdir()
    for name in ("one", "two"):
        (tmp_path / "near" / name).symlink_to(tmp_path / "far")
    assert list(photo_files.walk(str(tmp_path / "near"))) == [str(tmp_path / "near" / "one" / "x.png")]
