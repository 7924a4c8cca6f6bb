"""The made-up vendor of the channels that go through Twilio."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from lambda_src.core.contract import TWILIO_BASE_URL
from lambda_src.core.ports import Clock
from local.stand_ins import Fault, TwilioStandIn
from local.stand_ins.fault_plan import Match

ACCOUNT, TOKEN, TEMPLATE = "AC" + "0" * 32, "made-up-auth-token", "HX" + "1" * 32
_SEND = Match(method="POST")


class TwilioVendor:
    """Twilio's stand-in as a channel's vendor.

    Args:
        clock: What it goes by.
        has_template: Whether the tenant's secret names a template, of two variables.
    """

    def __init__(self, clock: Clock, *, has_template: bool) -> None:
        template = {"twilio_template_sid": TEMPLATE} if has_template else {}
        self.secret: Mapping[str, str] = {
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_token": TOKEN,
            **template,
        }
        self._twilio = TwilioStandIn(
            accounts={ACCOUNT: TOKEN}, templates={TEMPLATE: "Hello {{1}}! {{2}}"}, clock=clock
        )

    def __enter__(self) -> Self:
        self._twilio.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._twilio.__exit__(kind, error, trace)

    def environment(self) -> dict[str, str]:
        """Variables that lead the sender to it."""
        return {TWILIO_BASE_URL: self._twilio.base_url}

    def forget(self) -> None:
        """Be as good as new."""
        self._twilio.reset()

    def accepted(self) -> Sequence[str]:
        """The sids of the messages that it accepted, the oldest first."""
        return [str(message["sid"]) for message in self._twilio.messages()]

    def lose_the_next_answer(self, *, accepted: bool) -> None:
        """Cut the connection of the next send, after it was accepted or instead of that."""
        self._twilio.fail_next(Fault.reset(effect_applied=accepted), match=_SEND)

    def refuse_the_next(self) -> None:
        """Refuse the next send for good: the number cannot be reached."""
        self._twilio.fail_next("21612", match=_SEND)

    def be_busy_at_the_next(self) -> None:
        """Turn the next send away."""
        self._twilio.fail_next("20429", match=_SEND)
