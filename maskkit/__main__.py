"""`python -m maskkit` is the command `maskkit`."""

import sys

from maskkit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
