"""`python -m evaluation.twins`."""

import sys

from evaluation.twins.command import main

raise SystemExit(main(sys.argv[1:]))
