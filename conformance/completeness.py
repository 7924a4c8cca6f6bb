"""The files of which a channel of this repository consists."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.subject import read_json
from lambda_src.core import InvalidDefinition, parse_definition_file


def vendor_file(vendor: str) -> str:
    """Return the path of the file with the fake of a vendor, which several channels may share."""
    return f"conformance/{re.sub(r'[^a-z0-9]+', '_', vendor.lower())}_vendor.py"


def missing_parts(channel: str, root: Path, registered: Mapping[str, str]) -> Iterator[str]:
    """Yield each missing part of a channel with the file to write.

    Args:
        channel: Its name.
        root: The repository's directory.
        registered: The names of the channels that the app deploys, each with its vendor's name.
    """
    if channel not in registered:
        yield f"stacks/channels/{channel}.py: name the channel's entry as CHANNEL (Channel)"
    elif not (root / (fake := vendor_file(registered[channel]))).is_file():
        yield f"{fake}: write a fake of {registered[channel]} (Vendor), and define make_vendor"
    sender = f"lambda_src/channels/{channel}.py"
    if not (root / sender).is_file():
        yield f"{sender}: write the channel's sender, and name its parts as PARTS"
    elif "PARTS = " not in (root / sender).read_text("utf-8"):
        yield f"{sender}: name the channel's parts as PARTS (ChannelParts)"
    example = f"examples/contexts/{channel}.json"
    if (root / example).is_file():
        yield from _missing_in_assistant(channel, example, root)
    else:
        yield f"{example}: write a valid context object, which demo, send and checks start from"


def _missing_in_assistant(channel: str, example: str, root: Path) -> Iterator[str]:
    try:
        company = read_json(root / example)["company_data_payload"]
    except ValueError as error:
        yield str(error)
        return
    config = company["ai_config"]["openai_config"].get(channel)
    if config is None:
        yield f"{example}: configure the AI for {channel}"
    elif "assistant" not in config:
        name = f"{config['assistant_id_template_sender']}.toml"
        file = f"lambda_src/assistants/{name}"
        if (root / (own := f"lambda_src/assistants/{channel}/{name}")).is_file():
            file = own
        if not (root / file).is_file():
            yield f"{file}: write the assistant that the example names"
            return
        try:
            parse_definition_file((root / file).read_bytes(), file)
        except InvalidDefinition as error:
            yield from map(str, error.problems)
