"""Each registered channel is complete and passes each check."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from conformance import CHECKS, Check, Subject, missing_parts
from conformance.twilio_vendor import TwilioVendor
from lambda_src.channels import parts_of
from local import paths
from local.vendors import example_secrets
from stacks.config.channels import CHANNELS, Channel
from stacks.config.names import ChannelNames
from tests.infra.synthesis import environment, synthesize

REGISTERED = tuple(channel.name for channel in CHANNELS)
SENDER, ASSISTANT, EXAMPLE = SMS_FILES = (
    "lambda_src/channels/sms.py",
    "lambda_src/assistants/sms_first_contact.toml",
    "examples/contexts/sms.json",
)


def subject(channel: Channel) -> Subject:
    """Return the description of a registered channel."""
    tenant = f"ai-multi-comms/dev/{channel.name}-credentials/demo-company"
    has_template = example_secrets()[tenant]
    return Subject(
        names=ChannelNames(channel, environment()),
        template=synthesize().directory / f"{channel.display}.template.json",
        parts=parts_of(channel.name),
        vendor=partial(TwilioVendor, has_template=has_template),
        example=paths.EXAMPLE_CONTEXTS / f"{channel.name}.json",
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_conforms(channel: Channel, check: Check) -> None:
    """No check finds a problem."""
    assert [] == list(check(subject(channel)))


@pytest.mark.parametrize("channel", REGISTERED)
def test_a_channel_is_complete(channel: str) -> None:
    """No part of a registered channel is missing."""
    assert [] == list(missing_parts(channel, paths.ROOT, REGISTERED))


def test_every_channel_with_a_sender_is_registered() -> None:
    """Every module in `lambda_src/channels` belongs to a registered channel."""
    senders = (paths.ROOT / "lambda_src" / "channels").glob("[!_]*.py")
    assert sorted(REGISTERED) == sorted(path.stem for path in senders)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        (SENDER, None, f"{SENDER}: write "),
        (ASSISTANT, None, f"{ASSISTANT}: write "),
        (EXAMPLE, None, f"{EXAMPLE}: write "),
        (SENDER, "# nothing yet", f"{SENDER}: name the channel's parts as PARTS"),
        (ASSISTANT, 'model = "gpt-6-luna"', f"{ASSISTANT}: name its model and its instructions"),
        (
            EXAMPLE,
            '{"company_data_payload": {"ai_config": {"openai_config": {}}}}',
            f"{EXAMPLE}: configure the AI for sms",
        ),
    ],
)
def test_a_missing_part_is_named(
    tmp_path: Path, file: str, content: str | None, problem: str
) -> None:
    """A missing or incomplete file is named with what it lacks."""
    for each in SMS_FILES:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.ROOT / each, tmp_path / each)
    assert [] == list(missing_parts("sms", tmp_path, REGISTERED))
    (unregistered,) = missing_parts("sms", tmp_path, ("whatsapp",))
    assert unregistered.startswith("stacks/config/channels.py: add sms to CHANNELS")
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    (found,) = missing_parts("sms", tmp_path, REGISTERED)
    assert found.startswith(problem)
