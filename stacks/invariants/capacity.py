"""What the processors may ask of the vendors, and what they get done, by `stacks.capacity`.

The environment says what the vendors allow, how long the AI takes and how many messages come; the
templates say what is deployed.
"""

from collections import defaultdict
from collections.abc import Iterator

from lambda_src.core.contract import Variable
from stacks.capacity.choice import choose
from stacks.capacity.limits import Limit, Vendors
from stacks.capacity.load import USUAL_PEAK_HOUR_SHARE, Load
from stacks.capacity.processors import Processors
from stacks.capacity.queue_age import QueueAge, queue_age
from stacks.capacity.work import Work
from stacks.invariants.assembly import Assembly
from stacks.invariants.consumer import Consumer, consumers
from stacks.invariants.facts import Facts
from stacks.invariants.invariant import Finding, invariant

BOUND = "ScalingConfig.MaximumConcurrency"
REMEDY = (
    "Lower `maximum_concurrency` or `batch_size`, or ask the vendor for more and say so in the"
    " environment."
)

USUAL_LONGEST_WAIT = 900
"""Seconds that a message may wait at the peak, where the environment does not say."""


@invariant(
    "sender-keeps-up",
    holds="A channel does not send faster than its sender may (`messages_per_second`).",
    remedy=REMEDY,
)
def sender_keeps_up(assembly: Assembly) -> Iterator[Finding]:
    """A sender's limit is its channel's: all of the messages may be one tenant's."""
    for consumer in _of_channels(assembly):
        limit = _vendors(consumer).sender
        if limit and _exceeds([consumer], limit):
            problem = f"lets {_flow(consumer)}, where the sender may send {limit.per_second:,g}"
            yield Finding(consumer.mapping, BOUND, problem)


@invariant(
    "openai-keeps-up",
    holds=(
        "The channels of an environment together ask no more of OpenAI than its account may"
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
                    f"lets the channels work on {_together(sharing):,g} messages a second"
                    f" ({'; '.join(map(_flow, sharing))}), where the {limit.name} that the account"
                    f" allows are enough for {limit.per_second:,.3g}"
                )
                yield Finding(sharing[0].mapping, BOUND, problem)


@invariant(
    "limited-channels-exist",
    holds=(
        "Each channel that `messages_per_second` or `messages_per_day` names is one of the app's."
    ),
    remedy="Correct the channel's name, or take it out: a limit of no channel limits nothing.",
)
def limited_channels_exist(assembly: Assembly) -> Iterator[Finding]:
    """The names are those of the processors' CHANNEL."""
    for sharing in _by_environment(assembly).values():
        known = {consumer.function.variables.get(Variable.CHANNEL, "") for consumer in sharing}
        if "" in known:
            continue  # then it cannot be told, and another invariant tells of that
        mapping, facts = sharing[0].mapping, sharing[0].mapping.facts
        for key in ("messages_per_second", "messages_per_day"):
            for channel in sorted(getattr(facts, key).keys() - known):
                problem = f"names {channel!r}; the channels are {', '.join(sorted(known))}"
                yield Finding(mapping.template, key, problem)


@invariant(
    "planned-load-is-carried",
    holds=(
        "A channel for which `messages_per_day` are planned works them off: at the peak, no message"
        " waits for longer than `longest_wait_seconds` (900 where it is not said)."
    ),
    remedy=(
        "Raise `maximum_concurrency` and `batch_size` as `make plan` advises, or plan for fewer"
        " messages or a longer wait."
    ),
)
def planned_load_is_carried(assembly: Assembly) -> Iterator[Finding]:
    """The planner's own arithmetic over what is deployed."""
    for consumer in _of_channels(assembly):
        load, facts = _load(consumer), consumer.mapping.facts
        longest = facts.longest_wait_seconds or USUAL_LONGEST_WAIT
        processors = _processors(consumer)
        if load and processors.in_flight and queue_age(load, processors).seconds > longest:
            problem = f"lets {_wait(load, processors)}, where {longest:,} s are allowed"
            yield Finding(consumer.mapping, BOUND, f"{problem}; {_advice(load, consumer)}")


def _of_channels(assembly: Assembly) -> Iterator[Consumer]:
    return (consumer for consumer in consumers(assembly) if consumer.function.settings)


def _by_environment(assembly: Assembly) -> dict[str, list[Consumer]]:
    found = defaultdict(list)
    for consumer in _of_channels(assembly):
        found[consumer.mapping.facts.environment].append(consumer)
    return found


def _channel(consumer: Consumer) -> str:
    return consumer.function.variables.get(Variable.CHANNEL, "")


def _vendors(consumer: Consumer) -> Vendors:
    facts = consumer.mapping.facts
    return Vendors(
        messages_per_second=facts.messages_per_second.get(_channel(consumer)),
        openai_requests_per_minute=facts.openai_requests_per_minute,
        openai_tokens_per_minute=facts.openai_tokens_per_minute,
        tokens_per_message=facts.tokens_per_message,
    )


def _load(consumer: Consumer) -> Load | None:
    facts = consumer.mapping.facts
    planned = facts.messages_per_day.get(_channel(consumer))
    share = facts.peak_hour_share or USUAL_PEAK_HOUR_SHARE
    return None if planned is None else Load(messages_per_day=planned, peak_hour_share=share)


def _work(facts: Facts) -> Work:
    return Work(ai_seconds=facts.ai_seconds_per_message or 1.0)


def _processors(consumer: Consumer) -> Processors:
    settings = consumer.function.settings
    at_once = settings.max_concurrency if settings else consumer.batch_size
    return Processors(
        batch_size=min(consumer.batch_size, at_once),
        maximum_concurrency=consumer.maximum_concurrency or 0,
        work=_work(consumer.mapping.facts),
    )


def _together(sharing: list[Consumer]) -> float:
    return sum(_processors(consumer).at_most for consumer in sharing)


def _exceeds(sharing: list[Consumer], limit: Limit) -> bool:
    return _together(sharing) > limit.per_second * (1 + 1e-9)  # what is just allowed is allowed


def _flow(consumer: Consumer) -> str:
    processors = _processors(consumer)
    return (
        f"{processors.in_flight:,} messages in flight, of {processors.work.ai_seconds:g} s each,"
        f" become {processors.at_most:,g} a second"
    )


def _wait(load: Load, processors: Processors) -> str:
    age: QueueAge = queue_age(load, processors)
    waits = "wait without end" if age.seconds == float("inf") else f"wait for {age.seconds:,.0f} s"
    return (
        f"messages {waits} at {load.peak:,.3g} a second ({load.messages_per_day:,.0f} a day): it"
        f" works off {processors.per_second:,.3g}"
    )


def _advice(load: Load, consumer: Consumer) -> str:
    chosen = choose(load, _work(consumer.mapping.facts), _vendors(consumer))
    advice = f"batches of {chosen.batch_size} and {chosen.maximum_concurrency} calls"
    if chosen.per_second < load.peak:
        return f"no more than {chosen.per_second:,.3g} a second is possible, with {advice}"
    return f"{advice} are enough"
