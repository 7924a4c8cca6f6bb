"""The files of which a channel of this repository is made."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lambda_src.core.channel_parts import ChannelParts

ENTRY = "stacks/channels.py"


def left_out(channel: str, root: Path, registered: tuple[str, ...]) -> Iterator[str]:
    """Yield what of a channel is missing, each with the file to write.

    Args:
        channel: Its name.
        root: The repository's directory.
        registered: The names of the channels that the app deploys.
    """
    if channel not in registered:
        yield f"{ENTRY}: add {channel} to CHANNELS, or it is not deployed"
    yield from _of_sender(channel, root)
    example = f"examples/contexts/{channel}.json"
    if not (root / example).is_file():
        yield f"{example}: write a good context object, which demo, send and checks start from"
    else:
        yield from _of_assistant(channel, root / example, root)


def _of_sender(channel: str, root: Path) -> Iterator[str]:
    file = f"lambda_src/channels/{channel}.py"
    if not (root / file).is_file():
        yield f"{file}: write the channel's sender, and name its parts as PARTS"
    elif "PARTS = " not in (root / file).read_text("utf-8"):
        yield f"{file}: name the channel's parts as PARTS ({ChannelParts.__name__})"


def _of_assistant(channel: str, example: Path, root: Path) -> Iterator[str]:
    config = _openai_config(json.loads(example.read_text("utf-8")), channel)
    if config is None:
        yield f"examples/contexts/{channel}.json: configure the AI for {channel}"
    elif "assistant" not in config:
        file = f"lambda_src/assistants/{config['assistant_id_template_sender']}.toml"
        if not (root / file).is_file():
            yield f"{file}: write the assistant that the example names"
        elif not {"model", "instructions"} <= tomllib.loads((root / file).read_text()).keys():
            yield f"{file}: name its model and its instructions"


def _openai_config(document: dict[str, Any], channel: str) -> dict[str, Any] | None:
    by_channel = document["company_data_payload"]["ai_config"]["openai_config"]
    config: dict[str, Any] | None = by_channel.get(channel)
    return config
