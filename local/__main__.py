"""`python -m local`: the local cloud's commands."""

from local.cli import app

app(prog_name="python -m local")
