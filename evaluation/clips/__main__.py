"""`python -m evaluation.clips`."""

import sys

from evaluation.clips.command import main

raise SystemExit(main(sys.argv[1:]))
