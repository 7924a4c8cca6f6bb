"""The deployed channels, and which of them a context object is for."""

import json
from collections.abc import Mapping

from local.aws import Aws
from local.channel import Channel
from local.project import Project
from local.resources import Resources

Channels = Mapping[str, Channel]
"""Channels by their names, in the order in which they are registered."""


def deployed_channels(aws: Aws, project: Project) -> Channels:
    """All channels of a project, as their stacks' outputs name them."""
    names = project.channel_stacks
    return {name: Channel(aws, Resources.deployed(aws, project, name)) for name in names}


def meant_by(body: str, channels: Channels) -> Channel:
    """The channel that a context object is for; the first one for what names none of them."""
    return channels.get(_channel_method(body), next(iter(channels.values())))


def _channel_method(body: str) -> str:
    try:
        return str(json.loads(body)["frontend_payload"]["request_data"]["channel_method"])
    except (ValueError, KeyError, TypeError):
        return ""
