"""What the processors may ask of the vendors, against what the environment says they allow.

Little's law: as many messages as are in flight, over the seconds that one of them takes, are
worked on each second. In flight are at most maximum concurrency x batch, and a message takes at
least as long as the AI.
"""

from collections import defaultdict
from collections.abc import Iterator

from lambda_src.core.contract import Variable
from stacks.invariants.assembly import Assembly
from stacks.invariants.consumer import Consumer, consumers
from stacks.invariants.facts import Facts
from stacks.invariants.invariant import Finding, invariant

BOUND = "ScalingConfig.MaximumConcurrency"
REMEDY = (
    "Lower `maximum_concurrency` or `batch_size`, or ask the vendor for more and say so in the"
    " environment."
)


@invariant(
    "sender-keeps-up",
    holds="A channel does not send faster than its sender may (`messages_per_second`).",
    remedy=REMEDY,
)
def sender_keeps_up(assembly: Assembly) -> Iterator[Finding]:
    """A sender's limit is its channel's: all of the messages may be one tenant's."""
    for consumer in consumers(assembly):
        settings, facts = consumer.function.settings, consumer.mapping.facts
        allowed = facts.messages_per_second.get(settings.channel) if settings else None
        if allowed is None:
            continue
        sent = _per_second(consumer, facts)
        if sent > allowed:
            problem = f"lets {_flow(consumer, facts)}, where the sender may send {allowed:,g}"
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
        facts = sharing[0].mapping.facts
        asked = 60 * sum(_per_second(consumer, facts) for consumer in sharing)
        for allowed, each, what in (
            (facts.openai_requests_per_minute, 1, "requests"),
            (facts.openai_tokens_per_minute, facts.tokens_per_message or 0, "tokens"),
        ):
            if allowed is not None and each * asked > allowed:
                problem = (
                    f"lets the channels ask for {each * asked:,.0f} {what} a minute"
                    f" ({'; '.join(_flow(consumer, facts) for consumer in sharing)}), where the"
                    f" account may ask for {allowed:,}"
                )
                yield Finding(sharing[0].mapping, BOUND, problem)


@invariant(
    "limited-channels-exist",
    holds="Each channel that `messages_per_second` names is one of the app's.",
    remedy="Correct the channel's name, or take it out: a limit of no channel limits nothing.",
)
def limited_channels_exist(assembly: Assembly) -> Iterator[Finding]:
    """The names are those of the processors' CHANNEL."""
    for sharing in _by_environment(assembly).values():
        known = {consumer.function.variables.get(Variable.CHANNEL, "") for consumer in sharing}
        if "" in known:
            continue  # then it cannot be told, and another invariant tells of that
        template = sharing[0].mapping.template
        for channel in sorted(sharing[0].mapping.facts.messages_per_second.keys() - known):
            problem = f"names {channel!r}; the channels are {', '.join(sorted(known))}"
            yield Finding(template, "messages_per_second", problem)


def _by_environment(assembly: Assembly) -> dict[str, list[Consumer]]:
    found = defaultdict(list)
    for consumer in consumers(assembly):
        if consumer.function.settings:
            found[consumer.mapping.facts.environment].append(consumer)
    return found


def _per_second(consumer: Consumer, facts: Facts) -> float:
    return _in_flight(consumer) / _seconds(facts)


def _seconds(facts: Facts) -> float:
    return facts.ai_seconds_per_message or 1.0


def _in_flight(consumer: Consumer) -> int:
    settings = consumer.function.settings
    at_once = settings.max_concurrency if settings else consumer.batch_size
    return (consumer.maximum_concurrency or 0) * min(consumer.batch_size, at_once)


def _flow(consumer: Consumer, facts: Facts) -> str:
    return (
        f"{_in_flight(consumer):,} messages in flight, of {_seconds(facts):g} s each, become"
        f" {_per_second(consumer, facts):,g} a second"
    )
