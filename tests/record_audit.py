"""Record recorded_audit.json anew: python -m tests.record_audit, half a minute, without network.

60 synthetic faces a class with odd files among them, against 30 others a class. Without network one of the two networks
has no weights, so the record also holds what could not be measured.
"""

import shutil
import tempfile
from pathlib import Path

from PIL import Image

from maskkit.audit import audit
from maskkit.core import disk, paths
from maskkit.sources import faces, folders


def some(source: Path, folder: Path, n: int, start: int) -> Path:
    """A folder with n faces of each class, from the start-th on."""
    for name in folders.REPORT_CLASSES:
        (folder / name).mkdir(parents=True)
        for path in sorted((source / name).glob("*"))[start : start + n]:
            shutil.copy(path, folder / name)
    return folder


def add_odd_files(folder: Path) -> None:
    """A copy in the other class, a mirrored one, a black one, and a text."""
    first = sorted((folder / "with_mask").iterdir())[0]
    shutil.copy(first, folder / "without_mask" / "copy.png")
    Image.open(first).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "with_mask" / "mirror.png")
    Image.new("RGB", (64, 64)).save(folder / "with_mask" / "black.png")
    (folder / "with_mask" / "text.jpg").write_text("no photo")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "recorded"
        paths.CACHE = Path(place) / "cache"
        synthetic = faces.make(Path(place) / "synthetic")
        photos = some(synthetic, Path(place) / "faces", 60, 0)
        add_odd_files(photos)
        audit.audit(photos, out, against=some(synthetic, Path(place) / "elsewhere", 30, 100))
        text = (out / "audit.json").read_text(encoding="utf-8")
    disk.write_text(Path(__file__).parent / "recorded_audit.json", text.replace(str(Path.home()), "~"))


if __name__ == "__main__":
    main()
