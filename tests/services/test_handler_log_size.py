"""What a body holds never makes the log grow."""

import json
from typing import Any

import pytest

from tests.services.channel import Change, Channel, context, openai_config

A_FEW_KB = 8_000


HUGE: dict[str, Change] = {
    "problems": lambda d: d["company_data_payload"].update(allowed_channels=[1] * 100_000),
    "ids": lambda d: (
        d["frontend_payload"]["request_data"].update(
            request_id="😀" * 64, channel_method="😀" * 50_000
        ),
        d["conversation_data"].update(conversation_id="😀" * 256),
    ),
    "request id": lambda d: d["frontend_payload"]["request_data"].update(request_id="r" * 300_000),
    "variables": lambda d: openai_config(d).update(
        assistant={"model": "m", "instructions": "i", "variables": {"v" * 64: {}} | _empty(99)}
    ),
}


def _empty(count: int) -> dict[str, Any]:
    return {f"{number:x>64}": {} for number in range(count)}


@pytest.mark.parametrize("kind", HUGE)
def test_log_lines_stay_small_whatever_the_body(channel: Channel, kind: str) -> None:
    """Neither many problems nor long ids make a line of more than a few kilobytes."""
    body = context(HUGE[kind])

    assert [body] == channel.deliver(body)

    assert all(len(json.dumps(line)) < A_FEW_KB for line in channel.read_log())
