"""What the local cloud has to know of this app: its stacks, and who answers for its vendors."""

import json
import tomllib
from contextlib import ExitStack
from pathlib import Path

from ai_multi_comms.local_cloud import Aws, Composite, OpenAIStandIn, Project

from push_processor.parts import BASE_URL
from push_vendor.stand_in import PushStandIn

ROOT = Path(__file__).resolve().parent.parent
PROJECT = Project(
    root=ROOT,
    sources=("push_app.py", "naming.py", "cdk.json", "push_processor"),
    shared_stack="acme-alerts-shared-dev",
    channel_stacks={"push": "acme-alerts-push-dev"},
)

OPENAI_KEY, PUSH_KEY = "made-up-openai-key", "made-up-push-key"
SECRETS = {
    "acme-alerts/dev/openai-api-key/push": {"ai_api_key": OPENAI_KEY},
    "acme-alerts/dev/push-credentials/acme": {"push_app_key": PUSH_KEY},
}


class PushVendors(Composite):
    """OpenAI's stand-in and the push vendor's, for the length of a `with` block.

    Attributes:
        openai: The stand-in for OpenAI.
        push: The stand-in for the push vendor.
    """

    phones = None

    def __init__(self) -> None:
        super().__init__()
        self.openai = OpenAIStandIn(keys={OPENAI_KEY}, models=_models())
        self.push = PushStandIn(PUSH_KEY)

    def _start_parts(self, starting: ExitStack) -> None:
        starting.enter_context(self.openai)
        starting.enter_context(self.push)

    def function_environment(self) -> dict[str, str]:
        """Variables that lead the function to them."""
        return {"OPENAI_BASE_URL": self.openai.base_url, BASE_URL: self.push.base_url}

    def store_secrets(self, aws: Aws) -> None:
        """Fill the deployed placeholders."""
        for name, value in SECRETS.items():
            aws.secretsmanager.put_secret_value(SecretId=name, SecretString=json.dumps(value))


def _models() -> list[str]:
    """The models that the channel's assistants name."""
    definitions = (ROOT / "push_processor" / "assistants").glob("*.toml")
    return [tomllib.loads(path.read_text("utf-8"))["model"] for path in definitions]
