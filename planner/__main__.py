"""Run the planner: `python -m planner --help`."""

import sys

from planner.cli import app

sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
app()
