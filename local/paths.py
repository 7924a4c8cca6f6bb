"""Locations of the project's parts, and of the files that the local cloud writes."""

import sys
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent

ROOT = _REPOSITORY if (_REPOSITORY / "cdk.json").exists() else Path.cwd()
"""The project's directory; where this package is installed, the app's in the working directory."""

CACHE = ROOT / ".cache" / "local"
"""Everything that the local cloud writes: assemblies, logs, the state of a running one."""

VENV_BIN = Path(sys.prefix) / "bin"
"""The programs of the environment that runs this, Node.js among them."""

CLOUD_PYTHON = ROOT / ".venv-cloud" / "bin" / "python"
"""The interpreter of the embedded AWS, and with it of the deployed function."""

CDK = ROOT / "node_modules" / ".bin" / "cdk"
"""The CDK's command line, the one that also deploys to AWS."""

EXAMPLE_CONTEXTS = ROOT / "examples" / "contexts"
"""Context objects to send, valid and invalid."""

EXAMPLE_TEMPLATE = ROOT / "examples" / "templates" / "whatsapp_first_contact.json"
"""The content template of first messages on WhatsApp, as Twilio's Content API takes it."""
