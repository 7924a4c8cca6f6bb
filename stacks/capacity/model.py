"""The load on a channel, and the throughput of the function that processes it."""

from dataclasses import dataclass
from functools import cache
from math import exp, log, sqrt
from statistics import NormalDist

HOUR = 3_600
HOURS = 24

DEFAULT_PEAK_HOUR_SHARE = 0.125
"""Three times the average hour, for loads that have not been measured."""

DEFAULT_SPREAD = 0.4
"""Standard deviation over mean of the AI's time, where it has not been measured."""

DEFAULT_OWN_SECONDS = 0.4
"""A message's time besides the AI: a send, three writes, and the polling of its batch."""

QUANTILES = 4_000
"""Points at which a distribution is evaluated; the mean of the maximum is accurate to 0.1 %."""

BISECTIONS = 40
"""Steps of a bisection; each halves the error."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """The messages of a day.

    Attributes:
        messages_per_day: Their number.
        peak_hour_share: The share of the busiest hour, from 1/24 (all hours are equal) to 1.
    """

    messages_per_day: float
    peak_hour_share: float = DEFAULT_PEAK_HOUR_SHARE

    @property
    def peak(self) -> float:
        """The rate in the busiest hour."""
        return self.messages_per_day * self.peak_hour_share / HOUR

    @property
    def rest(self) -> float:
        """The rate in each other hour."""
        others = self.messages_per_day * (1 - self.peak_hour_share)
        return others / (HOUR * (HOURS - 1))


@dataclass(frozen=True, kw_only=True)
class ServiceTime:
    """The time that one message takes.

    Attributes:
        ai_seconds: The mean of the AI's time.
        spread: Standard deviation of the AI's time over its mean; 0: it is constant.
        own_seconds: The rest of a message's time.
    """

    ai_seconds: float
    spread: float = DEFAULT_SPREAD
    own_seconds: float = DEFAULT_OWN_SECONDS

    def invocation_seconds(self, messages: float) -> float:
        """Return the mean duration of an invocation, which ends with its slowest message.

        The messages of an invocation are processed concurrently. Fractions of a message are
        interpolated.
        """
        below = int(messages)
        time = self._mean_seconds(below)
        if below == messages:
            return time
        return time + (messages - below) * (self._mean_seconds(below + 1) - time)

    def max_quantile(self, messages: int, share: float) -> float:
        """Return the duration that a share of the invocations of so many messages do not exceed."""
        of_one = share ** (1 / messages)
        return self.own_seconds + self.ai_seconds * _quantile(self.spread, of_one)

    def _mean_seconds(self, messages: int) -> float:
        return self.own_seconds + self.ai_seconds * _mean_of_maximum(self.spread, messages)


@cache
def _mean_of_maximum(spread: float, messages: int) -> float:
    """Return the mean of the maximum of independent times with mean 1."""
    shares = ((point + 0.5) / QUANTILES for point in range(QUANTILES))
    return sum(_quantile(spread, share ** (1 / messages)) for share in shares) / QUANTILES


def _quantile(spread: float, share: float) -> float:
    # A model's response times are log-normal rather than normal: positive, with a long tail.
    if not spread:
        return 1.0
    sigma = sqrt(log(1 + spread**2))
    return exp(NormalDist(-(sigma**2) / 2, sigma).inv_cdf(share))


@dataclass(frozen=True, kw_only=True)
class Processors:
    """The concurrent invocations of a function.

    Attributes:
        batch_size: Maximum number of messages of an invocation.
        maximum_concurrency: Maximum number of concurrent invocations.
        work: The time that a message takes.
    """

    batch_size: int
    maximum_concurrency: int
    work: ServiceTime

    @property
    def in_flight(self) -> int:
        """The maximum number of messages that are processed concurrently."""
        return self.maximum_concurrency * self.batch_size

    @property
    def max_rate(self) -> float:
        """The rate that is never exceeded, to be compared with a vendor's limit.

        By Little's law it follows from the AI's time alone. The rest of a message's time, and the
        wait for slower messages of the same invocation, only reduce it.
        """
        return self.in_flight / self.work.ai_seconds

    @property
    def per_second(self) -> float:
        """The throughput while enough messages wait."""
        return self.in_flight / self.work.invocation_seconds(self.batch_size)

    def mean_batch_size(self, rate: float) -> float:
        """Return the mean number of messages of an invocation at that rate.

        Lambda invokes the function as soon as a message waits and the concurrency allows it.
        Batches hold one message until all invocations are busy; then messages accumulate.
        """
        if rate >= self.per_second:
            return self.batch_size
        low, high = 1.0, float(self.batch_size)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            throughput = self.maximum_concurrency * middle / self.work.invocation_seconds(middle)
            low, high = (middle, high) if throughput < rate else (low, middle)
        return low

    def mean_concurrency(self, rate: float) -> float:
        """Return the mean number of concurrent invocations at that rate."""
        batch = self.mean_batch_size(rate)
        return min(self.maximum_concurrency, rate * self.work.invocation_seconds(batch) / batch)
