"""The channel's vendor as the conformance checks make it fail."""

from collections.abc import Callable, Mapping, Sequence

from ai_multi_comms.local_cloud import Fault

from push_processor.parts import BASE_URL
from push_vendor.stand_in import PushStandIn

KEY = "made-up-push-key"


class CheckedVendor(PushStandIn):
    """The stand-in, told to fail in the checks' words.

    Args:
        clock: Seconds since the epoch, which the checks move.
    """

    secret: Mapping[str, str] = {"push_app_key": KEY}

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(KEY, clock)

    def environment(self) -> Mapping[str, str]:
        """Variables that lead the sender here."""
        return {BASE_URL: self.base_url}

    def forget(self) -> None:
        """Be as good as new: no notifications, no faults."""
        super().forget()
        self.clear_faults()

    def accepted(self) -> Sequence[str]:
        """The ids of the notifications taken, the oldest first."""
        return [notification["id"] for notification in self.state()["notifications"]]

    def lose_the_next_answer(self, *, accepted: bool) -> None:
        """Cut the connection of the next send, after it was taken or instead of that."""
        self.fail_next(Fault.reset(effect_applied=accepted))

    def refuse_the_next(self) -> None:
        """Refuse the next send: the device is gone."""
        self.fail_next(Fault.error(410))

    def be_busy_at_the_next(self) -> None:
        """Turn the next send away because there are too many."""
        self.fail_next(Fault.error(429))
