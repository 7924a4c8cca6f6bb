"""Asking Twilio about an unknown send, as the runtime does when it settles one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.secret_forms import TwilioCredentials
from lambda_src.services.secrets_manager_service import ChannelSecrets
from ops.errors import OperatorError
from ops.twilio_lookup import Listed, TwilioLookup

if TYPE_CHECKING:
    from ops.deployment import Deployment
    from ops.unknown_send import UnknownSend


@dataclass(frozen=True)
class Findings:
    """What Twilio and the table say of an unknown send.

    Attributes:
        candidates: Messages at Twilio that read like it, the oldest first.
        taken: Sids that are recorded as the recipient's other conversations'.
    """

    candidates: tuple[Listed, ...]
    taken: frozenset[str]

    @property
    def free(self) -> frozenset[str]:
        """Sids of the candidates that are no other conversation's."""
        return frozenset(found.sid for found in self.candidates) - self.taken


class Inquiry:
    """Looks an unknown send up.

    Args:
        deployment: The channel.
        unknown: The send.
    """

    def __init__(self, deployment: Deployment, unknown: UnknownSend) -> None:
        settings = deployment.settings
        self._unknown = unknown
        self._lookup = TwilioLookup(settings.twilio_timeout_seconds, settings.twilio_base_url)
        self._sender = deployment.parts.make_sender(settings)
        self._table = ConversationsTable(
            deployment.aws.dynamodb,
            settings.conversations_table,
            settings.version,
            channel=deployment.channel,
        )
        self._secrets = ChannelSecrets(
            deployment.aws.secretsmanager,
            settings.secret_prefixes,
            deployment.parts.read_credentials,
        )

    def findings(self) -> Findings:
        """Ask for all messages that read like it, and whose they are."""
        credentials, unknown = self._credentials, self._unknown
        sids = self._sender.find(credentials, unknown.message, since=unknown.since)
        found = (self._lookup.message(credentials, sid) for sid in sids)
        others = self._table.others(unknown.entry.key)
        taken = frozenset(other.sid for other in others if other.sid)
        return Findings(tuple(each for each in found if each), taken)

    def message(self, sid: str) -> Listed | None:
        """Ask for one message of the tenant's account."""
        return self._lookup.message(self._credentials, sid)

    @property
    def _credentials(self) -> TwilioCredentials:
        credentials = self._secrets.credentials(self._unknown.credentials_reference)
        if not isinstance(credentials, TwilioCredentials):
            raise OperatorError("only sends through Twilio can be looked up")
        return credentials
