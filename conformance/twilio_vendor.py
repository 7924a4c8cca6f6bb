"""The vendor of the channels that send through Twilio."""

from collections.abc import Sequence

from lambda_src.core import TWILIO_BASE_URL, Clock
from local.fakes import FakeTwilio, Fault, Match

ACCOUNT, TOKEN, TEMPLATE = "AC" + "0" * 32, "fake-auth-token", "HX" + "1" * 32
_SEND = Match(method="POST")


class TwilioVendor(FakeTwilio):
    """The fake of Twilio as a channel's vendor.

    Args:
        clock: Its clock.
        has_template: Whether the tenant's secret names a template, of two variables.
    """

    def __init__(self, clock: Clock, *, has_template: bool) -> None:
        self.secret = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
        if has_template:
            self.secret["twilio_template_sid"] = TEMPLATE
        super().__init__(
            accounts={ACCOUNT: TOKEN},
            templates={TEMPLATE: "Hello {{1}}! {{2}} Reply STOP to opt out."},
            clock=clock,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that direct the sender to the fake."""
        return {TWILIO_BASE_URL: self.base_url}

    def accepted_ids(self) -> Sequence[str]:
        """Return the sids of the accepted messages, oldest first."""
        return [str(message["sid"]) for message in self.messages()]

    def lose_next_response(self, *, accepted: bool) -> None:
        """Reset the connection of the next send, after it was accepted or instead of that."""
        self.fail_next(Fault.reset(effect_applied=accepted), match=_SEND)

    def reject_next_send(self) -> None:
        """Reject the next send permanently: the number cannot be reached."""
        self.fail_next("21612", match=_SEND)

    def rate_limit_next_send(self) -> None:
        """Reject the next send because there are too many."""
        self.fail_next("20429", match=_SEND)


make_vendor = TwilioVendor
"""The fake, as the checks of this repository's channels create it for each of its vendors."""
