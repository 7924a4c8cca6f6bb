"""The ports of the flow: adapters are in `services`, a channel's own parts in `channels`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lambda_src.core.contract import Kind, Metric, Step
from lambda_src.core.models import (
    TWILIO,
    Answer,
    AssistantDefinition,
    GenerationRequest,
    OutgoingMessage,
    TextRules,
)
from lambda_src.core.settings import Settings

Clock = Callable[[], float]
"""Returns the time in epoch seconds."""


class Credentials(Protocol):
    """A tenant's account at the vendor, in a form that only the channel's sender knows."""

    @property
    def template_sid(self) -> str | None:
        """The vendor's id of the template to send; None for free text."""


class Secrets(Protocol):
    """The channel's secrets; `fresh` bypasses the cache.

    Raises `PermanentFailure` for a reference outside the channel's prefixes, `ConfigurationRefused`
    for a missing or invalid secret, `TransientFailure` if Secrets Manager does not answer.
    """

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """Return the OpenAI API key."""

    def credentials(self, reference: str, *, fresh: bool = False) -> Credentials:
        """Return a tenant's credentials for the channel's vendor."""


class Assistants(Protocol):
    """The project's own assistant definitions."""

    def find(self, assistant_id: str) -> AssistantDefinition | None:
        """Return the definition with that id, or None."""


class TextGenerator(Protocol):
    """The AI."""

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        """Write one message; raises a `ProcessingError`."""


class Sender(Protocol):
    """The channel's vendor, with credentials in the channel's own form."""

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Send once and return the vendor id.

        Raises:
            TransientFailure: Definitely not sent.
            PermanentFailure: Refused.
            SendOutcomeUnknown: It may have been sent.
        """

    def find(
        self,
        credentials: Any,
        message: OutgoingMessage,
        *,
        since: float,
    ) -> tuple[str, ...]:
        """Return the vendor ids of all listed messages like that one, the oldest first.

        Args:
            credentials: The account to search.
            message: What was sent.
            since: Earliest creation time in epoch seconds.

        Raises:
            TransientFailure: The list cannot be read.
        """


class Heartbeat(Protocol):
    """Extends the visibility of a batch's messages and renews their leases."""

    def start(self) -> None:
        """Start, with a first heartbeat at once."""

    def stop(self) -> frozenset[str]:
        """Stop, and return the ids of the messages for which any heartbeat failed."""

    def renewing(
        self, message_id: str, renew: Callable[[], None]
    ) -> AbstractContextManager[object]:
        """Call `renew` with each heartbeat inside the context."""


class Queue(Protocol):
    """The channel's queue."""

    def change_visibility(self, seconds: Mapping[str, int]) -> None:
        """Make received messages visible after the given seconds (0 to 43,200) by receipt handle.

        A failure is logged; the message is then delivered again when its visibility timeout ends.
        """

    def max_receive_count(self) -> int:
        """Return how often a message is received before it moves to the dead-letter queue.

        Raises:
            TransientFailure: The queue did not answer.
        """


class Metrics(Protocol):
    """Metrics from any thread; no method raises."""

    def record(self, values: Mapping[Metric, float]) -> None:
        """Add one value to each metric's distribution, in the metric's unit."""

    def publish(
        self, counts: Mapping[Metric, int], failures: Mapping[tuple[Step, Kind], int]
    ) -> None:
        """Publish a batch: its counts, its failures, and the values recorded since the last one."""


@dataclass(frozen=True, slots=True)
class AddressFormat:
    """The format of an address.

    Attributes:
        code: Failure code of an address in another format, e.g. `phone_not_e164`.
        pattern: Regular expression that the whole address matches.
        words: Description for error messages: `expected …`.
    """

    code: str
    pattern: str
    words: str


PHONE = AddressFormat(
    "phone_not_e164",
    r"\+[1-9][0-9]{1,14}",
    "a phone number in E.164 form: + and 2 to 15 digits",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """Where a context object contains the channel's addresses, and their formats.

    Attributes:
        sender: Format of `company_<channel>_number`.
        recipient_field: Field of `recipient_data` with the recipient's address.
        recipient: Format of that field.
    """

    sender: AddressFormat = PHONE
    recipient_field: str = "recipient_tel"
    recipient: AddressFormat = PHONE


BY_PHONE = Addressing()
"""From a phone number to a phone number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelParts:
    """The parts of the runtime that each channel provides.

    Attributes:
        make_sender: Makes the channel's sender, once per container.
        read_credentials: Makes a tenant's credentials from their secret's JSON, in the form that
            the sender takes; raises `ConfigurationRefused` if it is not in the documented form.
        addressing: The channel's addresses.
        text_rules: The channel's characters and text lengths.
        assistants: Directory of assistant definitions; None: those of `lambda_src/assistants`.
        preload_modules: Modules that the sender's SDK imports at its first send. They are imported
            earlier, since the time between the intent and the send is limited.
    """

    make_sender: Callable[[Settings], Sender]
    read_credentials: Callable[[object], Credentials]
    addressing: Addressing = BY_PHONE
    text_rules: TextRules = TWILIO
    assistants: Path | None = None
    preload_modules: tuple[str, ...] = ()
