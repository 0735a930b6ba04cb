"""`python -m evaluation.paired`."""

import sys

from evaluation.paired.command import main

raise SystemExit(main(sys.argv[1:]))
