"""Where the local cloud finds the project's parts and keeps its own files."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The project's directory."""

CACHE = ROOT / ".cache" / "local"
"""Everything that the local cloud writes: assemblies, logs, the state of a running one."""

VENV_BIN = ROOT / ".venv" / "bin"
"""The programs of the project's own environment, Node.js among them."""

CLOUD_PYTHON = ROOT / ".venv-cloud" / "bin" / "python"
"""The interpreter that the embedded AWS, and with it the deployed function, runs on."""

CDK = ROOT / "node_modules" / ".bin" / "cdk"
"""The CDK's command line, the one that also deploys to AWS."""

EXAMPLE_CONTEXTS = ROOT / "examples" / "contexts"
"""Context objects to send, good and bad."""
