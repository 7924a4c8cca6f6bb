"""How the stand-in for Twilio behaves."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from local.stand_ins.faults import STRICT, Seconds


@dataclass(frozen=True, slots=True, config=STRICT)
class TwilioSettings:
    """Delays of the stand-in for Twilio.

    Attributes:
        sent_after_seconds: Age at which a message turns from `queued` to `sent`.
        delivered_after_seconds: Age at which it turns to `delivered`.
        list_lag_seconds: Age below which lists do not show a message yet.
        list_lag_calls: How many lists that it would stand in leave a message out.
        largest_page: Messages on a page of a list at most, however many are asked for.
    """

    sent_after_seconds: Seconds = 0.05
    delivered_after_seconds: Seconds = 0.2
    list_lag_seconds: Seconds = 0.0
    list_lag_calls: Annotated[int, Field(ge=0)] = 0
    largest_page: Annotated[int, Field(ge=1)] = 1000
