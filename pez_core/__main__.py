"""`python -m pez_core` is `pez`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
