"""The vendor of the channel `email`."""

from collections.abc import Sequence

from lambda_src.core import Clock
from local.fakes.faults import Fault, Match
from local.fakes.ses import FakeSes

TENANT, IDENTITY = "demo-company", "mail.harbour-logistics.example"
CONFIGURATION_SET = "ai-multi-comms-email-dev"
_SEND = Match(method="POST")


class SesVendor(FakeSes):
    """The fake of Amazon SES as a channel's vendor.

    Args:
        clock: Its clock.
    """

    def __init__(self, clock: Clock) -> None:
        self.secret: dict[str, str] = {}
        super().__init__(
            tenants={TENANT: (IDENTITY,)}, configuration_sets=(CONFIGURATION_SET,), clock=clock
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that direct the sender to the fake."""
        return {"AWS_ENDPOINT_URL_SESV2": self.base_url}

    def accepted_ids(self) -> Sequence[str]:
        """Return the ids of the accepted e-mails, oldest first."""
        return [message.message_id for message in self.messages()]

    def lose_next_response(self, *, accepted: bool) -> None:
        """Reset the connection of the next send, after it was accepted or instead of that."""
        self.fail_next(Fault.reset(effect_applied=accepted), match=_SEND)

    def reject_next_send(self) -> None:
        """Reject the next send permanently: its content is refused."""
        self.fail_next("MessageRejected", match=_SEND)

    def rate_limit_next_send(self) -> None:
        """Reject the next send because there are too many."""
        self.fail_next("TooManyRequestsException", match=_SEND)


make_vendor = SesVendor
"""The fake, as the checks of this repository's channels create it for each of its vendors."""
