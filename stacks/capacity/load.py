"""What is asked of a channel: so many messages a day, unevenly."""

from dataclasses import dataclass

HOUR = 3_600
HOURS = 24

USUAL_PEAK_HOUR_SHARE = 0.125
"""Three times the average hour, where nobody has measured it."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """A day's messages.

    Attributes:
        messages_per_day: How many.
        peak_hour_share: The part of them that comes in the busiest hour: from 1/24, when all hours
            are alike, to 1.
    """

    messages_per_day: float
    peak_hour_share: float = USUAL_PEAK_HOUR_SHARE

    @property
    def peak(self) -> float:
        """Messages a second in the busiest hour."""
        return self.messages_per_day * self.peak_hour_share / HOUR

    @property
    def rest(self) -> float:
        """Messages a second in each other hour."""
        others = self.messages_per_day * (1 - self.peak_hour_share)
        return others / (HOUR * (HOURS - 1))
