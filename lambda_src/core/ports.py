"""The ports of the flow: adapters are in `services`, a channel's own parts in `channels`."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lambda_src.core.contract import DropReason, Kind, Metric, OpenWork, Step
from lambda_src.core.errors import Problem, ProcessingError
from lambda_src.core.models import (
    ANY_TEXT,
    Answer,
    AssistantDefinition,
    Callback,
    ContextObject,
    DeliveryEvent,
    Engine,
    GenerationRequest,
    OutgoingMessage,
    RecordKey,
    TextRules,
    VendorEvent,
)
from lambda_src.core.settings import Settings

Clock = Callable[[], float]
"""Returns the time in epoch seconds."""


class Credentials(Protocol):
    """A tenant's account at the vendor, in a form that only the channel's sender knows."""

    @property
    def template_id(self) -> str | None:
        """The vendor's id of the template to send; None without a template."""


@dataclass(frozen=True, slots=True)
class NoCredentials:
    """The credentials of a vendor that has none per tenant: the function's role suffices."""

    template_id: None = None


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

    def names(self) -> Iterable[str]:
        """Return the ids of all definitions."""


class TextGenerator(Protocol):
    """The AI."""

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        """Write one message; raises a `ProcessingError`."""

    def moderate(self, api_key: str, texts: Sequence[str], timeout: float) -> tuple[str, ...]:
        """Return the categories for which moderation flags a text; raises a `ProcessingError`."""

    def discard(self, api_key: str, engine: Engine, openai_id: str, timeout: float) -> bool:
        """Delete a conversation, response or thread; return False if it may still exist.

        Never raises.
        """


class Sender(Protocol):
    """The channel's vendor, with credentials in the channel's own form."""

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Send once and return the vendor id.

        Raises:
            TransientFailure: Definitely not sent.
            PermanentFailure: Refused.
            SendOutcomeUnknown: It may have been sent.
        """

    def find(self, credentials: Any, message: OutgoingMessage, *, since: float) -> tuple[str, ...]:  # noqa: ARG002 - used where there is a list
        """Return the vendor ids of all listed messages like that one, the oldest first.

        It is not called on a channel without `ChannelParts.has_message_list`, whose sender may
        derive from this class instead of defining it.

        Args:
            credentials: The account to search.
            message: What was sent.
            since: Earliest creation time in epoch seconds.

        Raises:
            TransientFailure: The list cannot be read.
        """
        return ()


class Callbacks(Protocol):
    """The vendor's status callbacks; none of its errors contains a value of one."""

    def read(self, callback: Callback) -> DeliveryEvent | None:
        """Return what a callback reports, before it is verified; None if it is unreadable."""

    def verify(self, credentials: Any, callback: Callback) -> DropReason | None:
        """Return why a callback is not the vendor's about a message of that account, or None."""

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        """Return the error of a message that was accepted and then not delivered.

        It has the class that the same code has in the answer to a send.
        """


class VendorEvents(Protocol):
    """Events that the vendor itself puts on the events queue, whose policy allows only that."""

    def read(self, document: Mapping[str, Any]) -> VendorEvent | None:
        """Return what an event reports; None if it is unreadable."""

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        """Return the error of a message that was accepted and then not delivered.

        It has the class that the same code has in the answer to a send.
        """


class StatusLookup(Protocol):
    """Asks the vendor for the status of a message that it accepted."""

    def look_up(self, credentials: Any, vendor_id: str) -> DeliveryEvent | None:
        """Return the status of the message with that vendor id; None if the vendor has none.

        Raises:
            AccountRefused: The vendor refused the account; `CredentialsRefused`: the credentials.
            PermanentFailure: It refused the request.
            TransientFailure: It did not answer, or asked for later requests.
        """

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        """Return the error of a message that was accepted and then not delivered.

        It has the class that the same code has in the answer to a send.
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


class HandOffQueue(Protocol):
    """The queue on which other systems see the drafts that wait for an operator."""

    def put(self, body: str) -> None:
        """Put a context object on the queue.

        Raises:
            TransientFailure: The queue did not answer, or refused the request.
        """


class OpenWorkIndex(Protocol):
    """A channel's records by what remains to be done on them."""

    def due(self, kind: OpenWork, now: float) -> Iterator[tuple[float, RecordKey]]:
        """Yield what is due by `now`: since when (epoch seconds) and the record, the oldest first.

        Raises:
            ProcessingError: The table did not answer, or refused the request.
        """


class RequestQueue(Protocol):
    """The events queue, as the scheduled job uses it.

    Its methods raise `TransientFailure` if the queue did not answer, or refused a request.
    """

    def count_waiting(self) -> int:
        """Return about how many messages wait: visible, delayed or in flight."""

    def send(self, delayed: Sequence[tuple[str, int]]) -> None:
        """Put up to ten messages on the queue: bodies, and the seconds until each is visible."""


class Metrics(Protocol):
    """Metrics from any thread; no method raises."""

    def record(self, values: Mapping[Metric, float]) -> None:
        """Add one value to each metric's distribution, in the metric's unit."""

    def publish(
        self, counts: Mapping[Metric, int], failures: Mapping[tuple[Step, Kind], int]
    ) -> None:
        """Publish a batch: its counts, its failures, and the values recorded since the last one."""


def without_invisible(typed: str) -> str:
    """Return a text without invisible characters and outer spaces, and with plain digits.

    Numbers copied from a chat or a document contain marks of the writing direction, zero-width
    characters, and digits of other widths and scripts.
    """
    compatible = unicodedata.normalize("NFKC", typed)
    visible = (one for one in compatible if unicodedata.category(one) != "Cf")
    return "".join(str(unicodedata.decimal(one, one)) for one in visible).strip()


_TYPED_PREFIX = re.compile(r"(whatsapp|sms|tel):\s*", re.IGNORECASE)
_TRUNK_ZERO = re.compile(r"(?<=\d)\s*\(0\)")
"""The zero in `+44 (0)7700 900123`, which is dialled within the country only."""
_SEPARATOR = re.compile(r"[\s()\[\]./\-\u2010-\u2015\u2212]")


def tidy_phone(typed: str) -> str:
    """Rewrite a phone number as people type it in E.164 form; other text does not get that form.

    Spaces, dashes, brackets, dots, slashes, invisible characters and prefixes such as `whatsapp:`
    are removed, and a leading `00` becomes `+`. A number without its country is not completed.
    """
    number = _TYPED_PREFIX.sub("", without_invisible(typed), count=1)
    if number.startswith(("+", "00")):
        number = _TRUNK_ZERO.sub("", number)
    number = _SEPARATOR.sub("", number)
    return f"+{number[2:]}" if number.startswith("00") else number


@dataclass(frozen=True, slots=True)
class AddressFormat:
    """The format of an address.

    Attributes:
        code: Failure code of an address in another format, e.g. `phone_not_e164`.
        pattern: Regular expression that the whole address matches.
        words: Description for error messages: `expected …`.
        tidy: Rewrites an address as people type it in this format; other text stays invalid.
        aliases: Second spellings of one address: pairs of a regular expression that the whole
            address matches, and the template of the other spelling.
        canonical: Rewrites a valid address in the one spelling that identifies its owner, such as
            lower case; idempotent.
    """

    code: str
    pattern: str
    words: str
    tidy: Callable[[str], str] = without_invisible
    aliases: tuple[tuple[str, str], ...] = ()
    canonical: Callable[[str], str] = str


# Numbers of one handset that are in use in two spellings. WhatsApp, carriers and people's contact
# lists each keep the old or the new one.
MEXICO = ((r"\+52([2-9]\d{9})", r"+521\1"), (r"\+521([2-9]\d{9})", r"+52\1"))
"""The mobile prefix 1 was abolished on 2019-08-03; WhatsApp still reports it."""
ARGENTINA = ((r"\+54([1-8]\d{9})", r"+549\1"), (r"\+549([1-8]\d{9})", r"+54\1"))
"""The mobile prefix 9 is dialled from abroad only; WhatsApp reports it."""
BRAZIL = (
    (r"\+55([1-9]{2})([6-9]\d{7})", r"+55\g<1>9\2"),
    (r"\+55([1-9]{2})9([6-9]\d{7})", r"+55\1\2"),
)
"""Mobile numbers got a ninth digit, the last areas in 2016; many WhatsApp accounts lack it."""
BENIN = ((r"\+229([2-9]\d{7})", r"+22901\1"), (r"\+22901([2-9]\d{7})", r"+229\1"))
"""All numbers were prefixed with 01 on 2024-11-30."""

PHONE = AddressFormat(
    "phone_not_e164",
    r"\+[1-9][0-9]{1,14}",
    "a phone number in E.164 form: + and 2 to 15 digits",
    tidy_phone,
    (*MEXICO, *ARGENTINA, *BRAZIL, *BENIN),
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

    def normalize(self, typed: str) -> str:
        """Return the canonical form of a recipient's address as a person typed it.

        Raises:
            ValueError: It is not an address of the channel; the text is not repeated.
        """
        address = self.recipient.tidy(typed)
        if not re.fullmatch(self.recipient.pattern, address):
            raise ValueError(f"expected {self.recipient.words}, found other text")
        return self.recipient.canonical(address)

    def normalize_sender(self, typed: str) -> str:
        """Return the canonical form of a company's address; other text in its tidied form."""
        address = self.sender.tidy(typed)
        is_address = re.fullmatch(self.sender.pattern, address)
        return self.sender.canonical(address) if is_address else address


BY_PHONE = Addressing()
"""From a phone number to a phone number."""


@dataclass(frozen=True, slots=True)
class TextFormat:
    """The format of a text: a pattern that the whole text matches, and its description."""

    pattern: re.Pattern[str]
    description: str


ANY_ID = TextFormat(re.compile(r"[!-~]{1,255}"), "1 to 255 ASCII characters without blanks")


@dataclass(frozen=True, slots=True)
class SecretField:
    """One field of a tenant's secret.

    Attributes:
        name: Its name.
        is_hidden: Whether it is not shown while it is typed.
        is_required: Whether a secret must have it.
        note: What does not work without it, where it is not required.
    """

    name: str
    is_hidden: bool = True
    is_required: bool = True
    note: str = ""


class VendorAccess(Protocol):
    """How a channel's vendor is reached: a part of the settings of each function that asks it."""

    @property
    def send_timeout_seconds(self) -> int:
        """Timeout of a request in seconds."""

    @property
    def twilio_base_url(self) -> str:
        """Scheme and host of a local Twilio; empty for Twilio itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorParts:
    """What the operator's command line needs of a channel; no function uses any of it.

    The two callables take the channel's settings and a tenant's credentials. They raise a
    `ProcessingError`: `TransientFailure` if the same request may succeed later.

    Attributes:
        vendor: The vendor's name.
        message_id: Format of the vendor's ids of messages.
        secret_fields: The fields of a tenant's secret, in the order in which they are asked for;
            none: the secret is given as JSON.
        check_credentials: Asks the vendor whether it accepts the credentials, without sending
            anything; None: only their format is checked.
        delete_message: Deletes what the vendor stores of the message with that id, and returns
            whether it was found; None: the vendor offers no deletion.
    """

    vendor: str = "the vendor"
    message_id: TextFormat = ANY_ID
    secret_fields: tuple[SecretField, ...] = ()
    check_credentials: Callable[[Settings, Any], object] | None = None
    delete_message: Callable[[Settings, Any, str], bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelParts:
    """The parts of the runtime that each channel provides.

    Attributes:
        make_sender: Makes the channel's sender, once per container.
        read_credentials: Makes a tenant's credentials from their secret's JSON, in the form that
            the sender takes; raises `ConfigurationRefused` if it is not in the documented form.
            None: the vendor has no credentials per tenant, and the sender gets `NoCredentials`.
        addressing: The channel's addresses.
        text_rules: The channel's characters, text lengths and variables.
        assistants: Directory of assistant definitions; None: those of `lambda_src/assistants`.
        callbacks: The vendor's status callbacks; None: the channel requests none.
        vendor_events: The events that the vendor puts on the events queue; None: it does not.
        make_status_lookup: Makes the lookup of a message's status, once per container; None: the
            vendor has none.
        has_message_list: Whether the vendor lists the messages that it accepted, so that `find` of
            the sender can find them. Otherwise a send with an unknown outcome is not looked up: its
            first reconciliation marks it, and an operator decides.
        template_state: Asks the vendor for the approval state of the template that credentials
            name: `approved`, or why it is not delivered. None: templates need no approval.
        operator: What the operator's command line needs.
        check_context: Yields what a context object lacks that only this channel requires, before
            the AI is asked; each problem has the channel's own failure code. None: nothing.
        max_conversation_id_bytes: The longest conversation id that the vendor's events can contain,
            in bytes of UTF-8; None: as long as a record's key may be.
        preload_modules: Modules that the sender's SDK imports at its first send. They are imported
            earlier, since the time between the intent and the send is limited.
    """

    make_sender: Callable[[Settings], Sender]
    read_credentials: Callable[[object], Credentials] | None
    addressing: Addressing = BY_PHONE
    text_rules: TextRules = ANY_TEXT
    assistants: Path | None = None
    callbacks: Callbacks | None = None
    vendor_events: VendorEvents | None = None
    make_status_lookup: Callable[[Settings], StatusLookup] | None = None
    has_message_list: bool = True
    template_state: Callable[[VendorAccess, Any], str] | None = None
    operator: OperatorParts = OperatorParts()
    check_context: Callable[[ContextObject], Iterable[Problem]] | None = None
    max_conversation_id_bytes: int | None = None
    preload_modules: tuple[str, ...] = ()

    @property
    def has_credentials(self) -> bool:
        """Whether each tenant has a secret with credentials for the vendor."""
        return self.read_credentials is not None
