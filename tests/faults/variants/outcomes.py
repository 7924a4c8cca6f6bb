"""Variants that mistake what became of a send."""

from collections.abc import Callable

from lambda_src.core.errors import PermanentFailure, ProcessingError, TransientFailure
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.ports import Sender
from lambda_src.core.send_errors import SendOutcomeUnknown
from lambda_src.services.secret_forms import TwilioCredentials


class AroundSender(Sender):
    """Implements the port `Sender` by `sender`; variants break what a send says."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send."""
        return self.sender.send(credentials, message)

    def find(
        self, credentials: TwilioCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """The sids of all messages like that one."""
        return self.sender.find(credentials, message, since=since)


class Mistaken(AroundSender):
    """An error of the vendor is taken for another."""

    def __init__(
        self, sender: Sender, mistake: Callable[[ProcessingError], ProcessingError]
    ) -> None:
        super().__init__(sender)
        self._mistake = mistake

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send."""
        try:
            return super().send(credentials, message)
        except ProcessingError as error:
            raise self._mistake(error) from error


def unknown_as_failed(error: ProcessingError) -> ProcessingError:
    """No answer means no."""
    if isinstance(error, SendOutcomeUnknown):
        return PermanentFailure(error.code, error.step, error.detail)
    return error


def unknown_as_unsent(error: ProcessingError) -> ProcessingError:
    """No answer means that nothing was sent."""
    if isinstance(error, SendOutcomeUnknown):
        return TransientFailure(error.code, error.step, error.detail)
    return error


def passing_as_permanent(error: ProcessingError) -> ProcessingError:
    """What does not work now never will."""
    if isinstance(error, TransientFailure):
        return PermanentFailure(error.code, error.step, error.detail)
    return error


class UnknownIsSent(AroundSender):
    """No answer means yes."""

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send."""
        try:
            return super().send(credentials, message)
        except SendOutcomeUnknown:
            return ""


class SentAgain(AroundSender):
    """A send is tried once more when its answer is lost, as the retries of an SDK do."""

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Send."""
        try:
            return super().send(credentials, message)
        except SendOutcomeUnknown:
            return super().send(credentials, message)
