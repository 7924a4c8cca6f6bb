"""How long a call of the function takes, given how many messages it works on at once."""

from dataclasses import dataclass
from functools import cache
from math import exp, log, sqrt
from statistics import NormalDist

POINTS = 4_000
"""At so many quantiles a distribution is looked at; the mean of the longest is off by 0.1 %."""

USUAL_SPREAD = 0.4
"""Standard deviation over mean of the AI's time, where nobody has measured it."""

USUAL_OWN_SECONDS = 0.4
"""What a message takes beside the AI: a send, three writes, and the handover of its batch."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one message takes.

    Attributes:
        ai_seconds: The AI's time for one message, on average.
        spread: Standard deviation of the AI's time, over its mean; 0: it is always the same.
        own_seconds: The rest of a message's time.
    """

    ai_seconds: float
    spread: float = USUAL_SPREAD
    own_seconds: float = USUAL_OWN_SECONDS

    def call_seconds(self, messages: float) -> float:
        """Return how long a call takes on average: its messages are worked on at once.

        A call lasts as long as its longest message. Between whole numbers of messages the time is
        interpolated.
        """
        below = int(messages)
        time = self._whole_call(below)
        if below == messages:
            return time
        return time + (messages - below) * (self._whole_call(below + 1) - time)

    def longest_quantile(self, messages: int, share: float) -> float:
        """Return the time that so many messages stay below, in that share of the calls."""
        each = share ** (1 / messages)
        return self.own_seconds + self.ai_seconds * _quantile(self.spread, each)

    def _whole_call(self, messages: int) -> float:
        return self.own_seconds + self.ai_seconds * _mean_of_longest(self.spread, messages)


@cache
def _mean_of_longest(spread: float, messages: int) -> float:
    """The mean of the longest of several independent times, whose own mean is 1."""
    shares = ((point + 0.5) / POINTS for point in range(POINTS))
    return sum(_quantile(spread, share ** (1 / messages)) for share in shares) / POINTS


def _quantile(spread: float, share: float) -> float:
    # Answers of a model are log-normal rather than normal: never negative, with a long tail.
    if not spread:
        return 1.0
    sigma = sqrt(log(1 + spread**2))
    return exp(NormalDist(-(sigma**2) / 2, sigma).inv_cdf(share))
