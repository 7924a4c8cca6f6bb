"""What a soak does, drawn from its seed: who is written to, when, and what goes wrong meanwhile."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from local.channel import RecordKey
from local.contexts import example

SECONDS_A_MESSAGE = 0.25
"""How long messages go on arriving, for each message."""

REFUSED_SHARE = 0.04
FREE_TEXT_SHARE = 0.25
SAME_RECIPIENT_SHARE = 0.1
DUPLICATE_SHARE = 0.25
DUPLICATE_WITH_IT_SHARE = 0.5
LATEST_DUPLICATE_SECONDS = 40

MESSAGES_A_STRIKE = 5
FREEZE_SHARE = 0.15
CALLS_A_STRIKE = 35
"""Calls to the table from one strike to the next, on average: so that the same work is done between
them on a slow machine as on a quick one."""
LONGEST_PAUSE = 1.0
"""Seconds from that call to the strike, at most: so that it falls anywhere in a message's way."""
STRIKES_A_LAG = 8
LAGS = (0.0, 3.0, 12.0, 90.0)
"""Seconds by which the vendor's list may lag, for a while; the last outlasts every look."""

LARGEST_SOAK = 8_000
"""As many numbers are made up for recipients."""


class Fate(StrEnum):
    """What should become of a conversation."""

    SENT = "sent"
    NO_CONSENT = "refused: no consent"
    UNREACHABLE = "refused: the vendor knows the number for unreachable"
    AI_REFUSES = "refused: the AI does not write this"


REFUSED = tuple(fate for fate in Fate if fate is not Fate.SENT)


class Blow(StrEnum):
    """What happens to a process of the function."""

    KILL = "kill"
    FREEZE = "freeze"


@dataclass(frozen=True)
class Conversation:
    """One conversation to begin.

    Attributes:
        conversation_id: its id, which also stands in its message's text.
        recipient: E.164 number.
        fate: what should become of it.
        body: its context object.
    """

    conversation_id: str
    recipient: str
    fate: Fate
    body: str = field(repr=False)

    @property
    def key(self) -> RecordKey:
        """Where its record stands."""
        return RecordKey(self.recipient, self.conversation_id)


@dataclass(frozen=True)
class Arrival:
    """A context object that gets visible on the queue `after` so many seconds."""

    conversation: Conversation
    after: int
    is_duplicate: bool = False


@dataclass(frozen=True)
class Strike:
    """A blow on one of the function's processes.

    Attributes:
        calls: after how many calls to the table it falls, counted from the strike before.
        pause: and after how many seconds from then.
        blow: what befalls the process.
        pick: from 0 to below 1, chooses the process.
        lag: by how many seconds the vendor's list lags from then on.
    """

    calls: int
    pause: float
    blow: Blow
    pick: float
    lag: float


@dataclass(frozen=True)
class Plan:
    """All that a seed decides."""

    seed: int
    conversations: tuple[Conversation, ...]
    arrivals: tuple[Arrival, ...]
    strikes: tuple[Strike, ...]

    @classmethod
    def drawn(cls, messages: int, seed: int) -> "Plan":
        """Draw a plan.

        Args:
            messages: how many conversations, from 1 to `LARGEST_SOAK`.
            seed: decides everything.

        Raises:
            ValueError: there cannot be so many messages.
        """
        if not 1 <= messages <= LARGEST_SOAK:
            raise ValueError(f"messages: {messages} is not from 1 to {LARGEST_SOAK:,}")
        random = Random(seed)  # noqa: S311 - repeatable, no cryptography
        conversations = tuple(_conversations(random, messages, seed))
        return cls(
            seed=seed,
            conversations=conversations,
            arrivals=tuple(_arrivals(random, conversations)),
            strikes=tuple(_strikes(random, messages // MESSAGES_A_STRIKE)),
        )


def _conversations(random: Random, messages: int, seed: int) -> Iterator[Conversation]:
    recipient = ""
    for number in range(messages):
        fate = random.choice(REFUSED) if random.random() < REFUSED_SHARE else Fate.SENT
        is_same = recipient and random.random() < SAME_RECIPIENT_SHARE
        recipient = recipient if is_same else f"+1555010{1000 + number:04}"
        name = "whatsapp-free-text" if random.random() < FREE_TEXT_SHARE else "whatsapp"
        conversation_id = f"soak-{seed}-{number:04}"
        body = _body(name, conversation_id, recipient, fate)
        yield Conversation(conversation_id, recipient, fate, body)


def _body(name: str, conversation_id: str, recipient: str, fate: Fate) -> str:
    context = json.loads(example(name, conversation_id=conversation_id, recipient=recipient))
    frontend = context["frontend_payload"]
    frontend["request_data"]["request_id"] = f"request-{conversation_id}"
    # The stand-in for the AI tells the title, so that each message names its conversation.
    frontend["project_data"]["job"]["title"] = conversation_id
    if fate is Fate.NO_CONSENT:
        frontend["recipient_data"]["comms_consent"] = False
    return json.dumps(context)


def _arrivals(random: Random, conversations: tuple[Conversation, ...]) -> Iterator[Arrival]:
    for conversation in conversations:
        after = int(random.uniform(0, SECONDS_A_MESSAGE * len(conversations)))
        yield Arrival(conversation, after)
        if random.random() < DUPLICATE_SHARE:
            is_with_it = random.random() < DUPLICATE_WITH_IT_SHARE
            later = 0 if is_with_it else random.randint(1, LATEST_DUPLICATE_SECONDS)
            yield Arrival(conversation, after + later, is_duplicate=True)


def _strikes(random: Random, number: int) -> Iterator[Strike]:
    lag = 0.0
    for _ in range(number):
        lag = random.choice(LAGS) if random.random() < 1 / STRIKES_A_LAG else lag
        yield Strike(
            calls=random.randint(1, 2 * CALLS_A_STRIKE),
            pause=random.uniform(0, LONGEST_PAUSE),
            blow=Blow.FREEZE if random.random() < FREEZE_SHARE else Blow.KILL,
            pick=random.random(),
            lag=lag,
        )
