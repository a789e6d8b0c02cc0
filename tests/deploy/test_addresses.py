from pathlib import Path

import pytest
from conftest import fill, same_answers

from maskkit.deploy import addresses, classifier, partitions, photo_files, predict
from tests.deploy.test_partitions import list_photos, predict_in_one_process, read_partitions


@pytest.mark.numeric
@pytest.mark.parametrize("kind", ["memory://test", "file://{}"])
def test_photos_and_tables_at_addresses(trained, tmp_path, kind):
    fsspec = pytest.importorskip("fsspec")
    base = kind.format(tmp_path / "store")
    system, path = fsspec.core.url_to_fs(base)
    folder = fill(tmp_path / "photos", ("a",), 22) / "a"
    (folder / "text.jpg").write_text("no photo")
    for photo in folder.iterdir():
        addresses.write(f"{base}/photos/{photo.name}", photo.read_bytes())
    files, empty = photo_files.find_files([f"{base}/photos"], None)
    assert len(files) == len(list_photos(folder)) == 23
    assert not empty and all(addresses.is_address(name) for name in files)
    partitions.predict_partitions(None, trained, files, f"{base}/out", size=8)
    rows, manifest = read_partitions(f"{base}/out")
    assert manifest["complete"]
    assert same_answers(*map(by_name, (predict_in_one_process(folder, trained, tmp_path / "one.csv"), rows)))
    system.rm(path, recursive=True)


def by_name(rows):
    """Rows by the last part of their names."""
    return sorted((row | {"file": Path(row["file"]).name} for row in rows), key=lambda row: row["file"])


def test_an_address_that_cannot_be_read_is_said(trained):
    with pytest.raises(FileNotFoundError, match="there is no file or folder memory://nowhere"):
        photo_files.find_files(["memory://nowhere"], None)
    (row,) = predict.predict(["memory://gone.png"], classifier.from_run(trained))
    assert row["label"] is None and row["note"]
