"""`ai-comms` operates the deployed channel, with the channel's own addresses and rules."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ai_multi_comms.local_cloud import LocalCloud

from push_vendor.cloud import ROOT, PushVendors

TARGET = {
    "OPS_PROJECT": "acme-alerts",
    "OPS_CHANNEL": "push",
    "OPS_PARTS": "push_processor.parts:PARTS",
}
CONTEXT = ROOT / "contexts" / "push.json"
OPTED_OUT = "f" * 64

Run = Callable[..., Any]


@pytest.fixture
def ai_comms(cloud: LocalCloud, vendors: PushVendors) -> Run:
    """Return what runs a command on the local cloud, and returns its document."""
    connections = {**cloud.aws.command_environment(), **vendors.push.environment()}

    def run(*arguments: str) -> Any:
        command = [str(Path(sys.executable).with_name("ai-comms")), *arguments, "--json"]
        options: Any = {"cwd": ROOT, "env": {**os.environ, **connections, **TARGET}}
        done = subprocess.run(  # noqa: S603 - the installed command
            command, capture_output=True, text=True, check=False, **options
        )
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_channel_is_operated(cloud: LocalCloud, ai_comms: Run) -> None:
    """A message is sent and followed, and the state of the channel shown."""
    sent = ai_comms("send", str(CONTEXT), "--yes", "--follow")
    assert "initial_message_sent" == sent["status"]
    dead_letters = cloud.channel.resources.dead_letter_queue_url
    cloud.aws.sqs.send_message(QueueUrl=dead_letters, MessageBody=CONTEXT.read_text("utf-8"))
    assert "Enabled" == ai_comms("status")["mapping"]
    causes = ai_comms("dlq", "list")["causes"]
    assert "initial_message_sent" in [each["cause"] for each in causes]
    assert isinstance(ai_comms("unknown", "list"), list)


def test_a_device_is_suppressed(ai_comms: Run) -> None:
    """An opt-out is stored for an address in the channel's own format."""
    added = ai_comms("suppression", "add", OPTED_OUT, "--reason", "asked for", "--yes")
    assert added["digest"] in [each["digest"] for each in ai_comms("suppression", "list")]
