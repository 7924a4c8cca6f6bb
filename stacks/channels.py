"""What a communication channel is, as data: all that makes one differ from the next."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One communication channel.

    Attributes:
        name: As the context object, queues, functions and secrets spell it: `whatsapp`.
        display: As stacks, metrics and alarms spell it: `WhatsApp`.
        metric_filter_part: What tells this channel's metric filters from another's; the first
            channel has none, because its filters were named before there was a second.
    """

    name: str
    display: str
    metric_filter_part: str


WHATSAPP = Channel(name="whatsapp", display="WhatsApp", metric_filter_part="")

CHANNELS = (WHATSAPP,)
"""The channels that every environment has, one stack each."""
