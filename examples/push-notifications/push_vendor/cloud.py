"""The local cloud's configuration: this app's stacks, and the fakes of its vendors."""

import json
import tomllib
from contextlib import ExitStack
from pathlib import Path

from ai_multi_comms.local_cloud import Aws, Composite, FakeOpenAI, Project

from push_vendor.fake import KEY, FakePushVendor

ROOT = Path(__file__).resolve().parent.parent
PROJECT = Project(
    root=ROOT,
    sources=("push_app.py", "cdk.json", "push_processor"),
    shared_stack="acme-alerts-shared-dev",
    channel_stacks={"push": "acme-alerts-push-dev"},
)

OPENAI_KEY = "fake-openai-key"
SECRETS = {
    "acme-alerts/dev/openai-api-key/push": {"ai_api_key": OPENAI_KEY},
    "acme-alerts/dev/push-credentials/acme": {"push_app_key": KEY},
}


class PushVendors(Composite):
    """The fakes of OpenAI and the push vendor, within a `with` block.

    Attributes:
        openai: The fake of OpenAI.
        push: The fake of the push vendor.
    """

    inbox = None

    def __init__(self) -> None:
        super().__init__()
        definitions = (ROOT / "push_processor" / "assistants").glob("*.toml")
        models = [tomllib.loads(path.read_text("utf-8"))["model"] for path in definitions]
        self.openai = FakeOpenAI(keys={OPENAI_KEY}, models=models)
        self.push = FakePushVendor()

    def _start_parts(self, starting: ExitStack) -> None:
        starting.enter_context(self.openai)
        starting.enter_context(self.push)

    def function_environment(self) -> dict[str, str]:
        """Return the variables that direct the function to the fakes."""
        return {"OPENAI_BASE_URL": self.openai.base_url, **self.push.environment()}

    def connect(self, aws: Aws) -> None:
        """Store the fakes' credentials in the deployed secrets."""
        for name, value in SECRETS.items():
            aws.secretsmanager.put_secret_value(SecretId=name, SecretString=json.dumps(value))
