"""Run the planner: `python -m planner --help`."""

from planner.cli import app

app()
