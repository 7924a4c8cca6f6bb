"""The messages that Twilio has accepted."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from local.stand_ins.twilio.addresses import is_whatsapp, number_of
from local.stand_ins.twilio.errors import TwilioError
from local.stand_ins.twilio.orders import Order


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the course of delivery.

    Attributes:
        sid: Its identifier.
        account_sid: The account that sent it.
        order: What was ordered.
        created: When it was accepted, in seconds since the epoch.
        late_error: Code with which it ends undelivered; None when it arrives.
        missed_lists: How many lists have left it out.
    """

    sid: str
    account_sid: str
    order: Order
    created: float
    late_error: int | None = None
    missed_lists: int = 0


@dataclass(frozen=True, slots=True)
class PhoneMessage:
    """A message as the recipient's phone shows it.

    Attributes:
        sid: Twilio's identifier of the message.
        sender: The sender's address, `whatsapp:` before the number on WhatsApp.
        body: The text, placeholders filled in.
        at: When Twilio accepted it, in seconds since the epoch.
    """

    sid: str
    sender: str
    body: str
    at: float

    @property
    def application(self) -> str:
        """Where on the phone it shows."""
        return "WhatsApp" if is_whatsapp(self.sender) else "SMS"

    @property
    def number(self) -> str:
        """The sender's bare number."""
        return number_of(self.sender)


class MessageStore:
    """All messages; safe to use from every thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._messages: dict[str, Message] = {}

    def accept(self, account_sid: str, order: Order, late_error: int | None) -> Message:
        """Take a message on for delivery."""
        prefix = "MM" if order.media_count else "SM"
        message = Message(prefix + uuid.uuid4().hex, account_sid, order, self.clock(), late_error)
        with self._lock:
            self._messages[message.sid] = message
        return message

    def get(self, account_sid: str, sid: str) -> Message:
        """One of an account's messages.

        Raises:
            TwilioError: The account has none with this sid.
        """
        with self._lock:
            message = self._messages.get(sid)
        if message is None or message.account_sid != account_sid:
            raise TwilioError(20404)
        return message

    def newest_first(self) -> list[Message]:
        """Every message of every account."""
        with self._lock:
            return list(reversed(self._messages.values()))

    def note_missed(self, messages: list[Message]) -> None:
        """Count that a list has left these out."""
        with self._lock:
            for message in messages:
                if message.sid in self._messages:
                    current = self._messages[message.sid]
                    self._messages[message.sid] = replace(
                        current, missed_lists=current.missed_lists + 1
                    )

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._messages.clear()

    def on_phone(self, number: str) -> list[PhoneMessage]:
        """The messages that have reached or will reach this number, oldest first."""
        return [
            PhoneMessage(message.sid, message.order.sender, message.order.body, message.created)
            for message in reversed(self.newest_first())
            if number_of(message.order.to) == number and message.late_error is None
        ]
