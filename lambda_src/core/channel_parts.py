"""What a communication channel brings to the flow that all channels share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lambda_src.core.ports import Credentials, Sender
from lambda_src.core.settings import Settings
from lambda_src.core.text_rules import TWILIO, TextRules


@dataclass(frozen=True, slots=True)
class AddressForm:
    """What an address looks like.

    Attributes:
        code: The problem's code where one looks otherwise, e.g. `phone_not_e164`.
        pattern: Regular expression that the whole address matches.
        words: The same for people: `expected …`.
    """

    code: str
    pattern: str
    words: str


PHONE = AddressForm(
    "phone_not_e164",
    r"\+[1-9][0-9]{1,14}",
    "a phone number in E.164 form: + and 2 to 15 digits",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """Where a context object has the channel's addresses, and what they are.

    Attributes:
        sender: What `company_<channel>_number` is.
        recipient_field: Which field of `recipient_data` is the recipient's address.
        recipient: What that field is.
    """

    sender: AddressForm = PHONE
    recipient_field: str = "recipient_tel"
    recipient: AddressForm = PHONE


BY_PHONE = Addressing()
"""From a phone number to a phone number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelParts:
    """All that the runtime of one channel has of its own.

    Attributes:
        make_sender: Makes the channel's sender, once per container.
        read_credentials: Makes a tenant's credentials of their secret's JSON, as the sender takes
            them; raises `PermanentFailure` where it is not of the documented form.
        addressing: What the channel's addresses are.
        text_rules: How the channel spells texts, and how long they may be.
        assistants: Directory of assistant definitions; None: those of `lambda_src/assistants`.
        imported_late: Modules that the sender's SDK imports only when it first sends: imported
            ahead of that, since nothing may take long once a send is announced.
    """

    make_sender: Callable[[Settings], Sender]
    read_credentials: Callable[[object], Credentials]
    addressing: Addressing = BY_PHONE
    text_rules: TextRules = TWILIO
    assistants: Path | None = None
    imported_late: tuple[str, ...] = ()
