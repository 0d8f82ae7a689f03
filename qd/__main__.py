"""``python -m qd`` is ``qd``."""

import sys

from qd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
