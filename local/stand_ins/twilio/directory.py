"""What Twilio knows of its customers: accounts, senders, messaging services and templates."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from local.stand_ins.twilio.errors import TwilioError


@dataclass(frozen=True, slots=True)
class Directory:
    """Accounts, and what every one of them may use.

    Attributes:
        accounts: Auth token of each account, by its sid.
        templates: Text of each content template, with placeholders, by its sid.
        senders: Addresses that may send; None for any.
        services: The senders of each messaging service, by its sid.
    """

    accounts: Mapping[str, str] = field(repr=False)
    templates: Mapping[str, str]
    senders: Collection[str] | None
    services: Mapping[str, Sequence[str]]

    def check_credentials(self, sid: str, token: str) -> None:
        """Make sure that these are an account's credentials.

        Raises:
            TwilioError: They are not.
        """
        known = self.accounts.get(sid)
        if known is None or not hmac.compare_digest(known.encode(), token.encode()):
            raise TwilioError(20003)
