"""Command line of the local cloud: `python -m local`."""

import os

# Set before the CDK is imported: its warning about Node.js is longer than most commands' output.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

from local.cli import app

app(prog_name="python -m local")
