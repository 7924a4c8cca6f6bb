"""The processors' request rate against the vendors' limits, and their throughput against the load.

The environment gives the vendors' limits, the AI's time and the planned load; the templates give
what is deployed.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import isinf

from lambda_src.core.contract import Variable
from stacks.capacity import (
    DEFAULT_PEAK_HOUR_SHARE,
    Limit,
    Load,
    Processors,
    ServiceTime,
    VendorLimits,
    choose_processors,
    queue_age,
)
from stacks.invariants.assembly import Assembly, Consumer, consumers
from stacks.invariants.invariant import Finding, invariant

CONCURRENCY = "ScalingConfig.MaximumConcurrency"
REMEDY = (
    "Lower `maximum_concurrency` or `batch_size`, or have the vendor raise the limit and set it in"
    " the environment."
)

DEFAULT_LONGEST_WAIT = 900
"""Seconds that a message may wait at the peak, unless the environment sets it."""


@invariant(
    "sender-keeps-up",
    holds="A channel's send rate does not exceed its sender's limit (`messages_per_second`).",
    remedy=REMEDY,
)
def sender_keeps_up(assembly: Assembly) -> Iterator[Finding]:
    """A sender's limit applies to its channel, since all messages may be one tenant's."""
    for consumer in _processing(assembly):
        limit = _vendors(consumer).sender
        if limit and _exceeds([consumer], limit):
            problem = f"allows {_flow(consumer)}, where the sender may send {limit.per_second:,g}"
            yield Finding(consumer.mapping, CONCURRENCY, problem)


@invariant(
    "openai-keeps-up",
    holds=(
        "The channels of an environment together do not exceed the limits of its OpenAI account"
        " (`openai_requests_per_minute`, `openai_tokens_per_minute`)."
    ),
    remedy=REMEDY,
)
def openai_keeps_up(assembly: Assembly) -> Iterator[Finding]:
    """Each message is one request to a model, of `tokens_per_message` tokens."""
    for sharing in _by_environment(assembly).values():
        for limit in _vendors(sharing[0]).openai:
            if _exceeds(sharing, limit):
                problem = (
                    f"lets the channels process {_total_rate(sharing):,g} messages a second"
                    f" ({'; '.join(map(_flow, sharing))}), where the {limit.name} that the account"
                    f" allows are enough for {limit.per_second:,.3g}"
                )
                yield Finding(sharing[0].mapping, CONCURRENCY, problem)


@invariant(
    "limited-channels-exist",
    holds=(
        "Each channel in `messages_per_second` and in `messages_per_day` is a channel of the app."
    ),
    remedy="Correct the channel's name, or remove it: the limit of an unknown channel is unused.",
)
def limited_channels_exist(assembly: Assembly) -> Iterator[Finding]:
    """The channels' names are those of the processors' variable CHANNEL."""
    for sharing in _by_environment(assembly).values():
        known = {_channel(consumer) for consumer in sharing}
        if "" in known:
            continue  # another invariant reports a processor without a channel
        mapping = sharing[0].mapping
        for key in ("messages_per_second", "messages_per_day"):
            for channel in sorted(getattr(mapping.metadata, key).keys() - known):
                problem = f"names {channel!r}; the channels are {', '.join(sorted(known))}"
                yield Finding(mapping.template, key, problem)


@invariant(
    "planned-load-is-carried",
    holds=(
        "A channel with planned `messages_per_day` can process them: at the peak, no message waits"
        " longer than `longest_wait_seconds` (900 by default)."
    ),
    remedy=(
        "Raise `maximum_concurrency` and `batch_size` as `make plan` advises, or plan for fewer"
        " messages or a longer wait."
    ),
)
def planned_load_is_carried(assembly: Assembly) -> Iterator[Finding]:
    """The planner's model is applied to what is deployed."""
    for consumer in _processing(assembly):
        load, processors = _load(consumer), _processors(consumer)
        allowed = consumer.mapping.metadata.longest_wait_seconds or DEFAULT_LONGEST_WAIT
        if load and processors.in_flight and queue_age(load, processors).seconds > allowed:
            problem = f"makes {_wait(load, processors)}, where {allowed:,} s are allowed"
            yield Finding(consumer.mapping, CONCURRENCY, f"{problem}; {_advice(load, consumer)}")


def _processing(assembly: Assembly) -> Iterator[Consumer]:
    return (consumer for consumer in consumers(assembly) if consumer.function.sends)


def _by_environment(assembly: Assembly) -> dict[str, list[Consumer]]:
    found = defaultdict(list)
    for consumer in _processing(assembly):
        found[consumer.mapping.metadata.environment].append(consumer)
    return found


def _channel(consumer: Consumer) -> str:
    return consumer.function.variables.get(Variable.CHANNEL, "")


def _vendors(consumer: Consumer) -> VendorLimits:
    metadata = consumer.mapping.metadata
    return VendorLimits(
        messages_per_second=metadata.messages_per_second.get(_channel(consumer)),
        openai_requests_per_minute=metadata.openai_requests_per_minute,
        openai_tokens_per_minute=metadata.openai_tokens_per_minute,
        tokens_per_message=metadata.tokens_per_message,
    )


def _load(consumer: Consumer) -> Load | None:
    metadata = consumer.mapping.metadata
    planned = metadata.messages_per_day.get(_channel(consumer))
    share = metadata.peak_hour_share or DEFAULT_PEAK_HOUR_SHARE
    return None if planned is None else Load(messages_per_day=planned, peak_hour_share=share)


def _processors(consumer: Consumer) -> Processors:
    settings = consumer.function.settings
    concurrent = settings.max_concurrency if settings else consumer.batch_size
    return Processors(
        batch_size=min(consumer.batch_size, concurrent),
        maximum_concurrency=consumer.maximum_concurrency or 0,
        work=ServiceTime(ai_seconds=consumer.mapping.metadata.ai_seconds_per_message or 1.0),
    )


def _total_rate(sharing: list[Consumer]) -> float:
    return sum(_processors(consumer).max_rate for consumer in sharing)


def _exceeds(sharing: list[Consumer], limit: Limit) -> bool:
    return _total_rate(sharing) > limit.per_second * (1 + 1e-9)  # tolerate rounding


def _flow(consumer: Consumer) -> str:
    processors = _processors(consumer)
    return (
        f"{processors.in_flight:,} messages in flight, of {processors.work.ai_seconds:g} s each,"
        f" which is {processors.max_rate:,g} a second"
    )


def _wait(load: Load, processors: Processors) -> str:
    seconds = queue_age(load, processors).seconds
    return (
        f"messages wait {'without end' if isinf(seconds) else f'for {seconds:,.0f} s'} at"
        f" {load.peak:,.3g} a second ({load.messages_per_day:,.0f} a day) with a throughput of"
        f" {processors.per_second:,.3g} a second"
    )


def _advice(load: Load, consumer: Consumer) -> str:
    chosen = choose_processors(load, _processors(consumer).work, _vendors(consumer))
    advice = f"batches of {chosen.batch_size} and a concurrency of {chosen.maximum_concurrency}"
    if chosen.per_second < load.peak:
        return f"no more than {chosen.per_second:,.3g} a second is possible, with {advice}"
    return f"{advice} are enough"
