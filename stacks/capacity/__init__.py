"""Throughput and limits of a channel: arithmetic for synth and for the planner.

It uses the standard library only. Rates are in messages per second, times in seconds.
"""

from stacks.capacity.limits import (
    SECRET_SECONDS,
    SUPPRESSION_UNITS,
    Footprint,
    Limit,
    Quota,
    VendorLimits,
    throughput_limits,
)
from stacks.capacity.model import (
    DEFAULT_OWN_SECONDS,
    DEFAULT_PEAK_HOUR_SHARE,
    DEFAULT_SPREAD,
    HOUR,
    HOURS,
    Load,
    Processors,
    ServiceTime,
)
from stacks.capacity.queue_age import QueueAge, queue_age
from stacks.capacity.sizing import MAX_BATCH_SIZE, choose_processors

__all__ = [
    "DEFAULT_OWN_SECONDS",
    "DEFAULT_PEAK_HOUR_SHARE",
    "DEFAULT_SPREAD",
    "HOUR",
    "HOURS",
    "MAX_BATCH_SIZE",
    "SECRET_SECONDS",
    "SUPPRESSION_UNITS",
    "Footprint",
    "Limit",
    "Load",
    "Processors",
    "QueueAge",
    "Quota",
    "ServiceTime",
    "VendorLimits",
    "choose_processors",
    "queue_age",
    "throughput_limits",
]
