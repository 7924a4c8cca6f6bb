"""Each registered channel passes each check."""

from functools import partial

import pytest

from conformance import CHECKS, Check, Subject, left_out
from conformance.by_twilio import TwilioVendor
from lambda_src.channels import parts_of
from local import paths
from local.example_secrets import credentials_with_template
from stacks.channels import CHANNELS, Channel
from stacks.names import ChannelNames
from tests.infra.synthesis import environment, synthesize

REGISTERED = tuple(channel.name for channel in CHANNELS)


def subject(channel: Channel) -> Subject:
    """A registered channel, as the checks want it described."""
    example = paths.EXAMPLE_CONTEXTS / f"{channel.name}.json"
    tenant = f"ai-multi-comms/dev/{channel.name}-credentials/demo-company"
    has_template = credentials_with_template()[tenant]
    return Subject(
        names=ChannelNames(channel, environment()),
        template=synthesize().directory / f"{channel.display}.template.json",
        parts=parts_of(channel.name),
        vendor=partial(TwilioVendor, has_template=has_template),
        example=example,
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_conforms(channel: Channel, check: Check) -> None:
    """Nothing is wrong with it."""
    assert [] == list(check(subject(channel)))


@pytest.mark.parametrize("channel", REGISTERED)
def test_a_channel_is_whole(channel: str) -> None:
    """No part of a registered channel is left out."""
    assert [] == list(left_out(channel, paths.ROOT, REGISTERED))


def test_every_channel_with_a_sender_is_registered() -> None:
    """A sender that nobody deploys is a channel that somebody forgot to register."""
    senders = (paths.ROOT / "lambda_src" / "channels").glob("[!_]*.py")
    assert sorted(REGISTERED) == sorted(path.stem for path in senders)
