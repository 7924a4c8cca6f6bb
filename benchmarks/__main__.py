"""The benchmarks from the command line: `python -m benchmarks --help`."""

from benchmarks.command import app

app()
