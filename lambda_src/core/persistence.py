"""Writing again and again while time allows."""

from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from lambda_src.core import timing
from lambda_src.core.errors import LedgerUnavailable


def write_while_time_allows(
    write: Callable[[], None],
    *,
    time_left: Callable[[], float],
    sleep: Callable[[float], None],
    patience: float = float("inf"),
) -> None:
    """Write, and repeat it while the table is unavailable and the function has time.

    Args:
        write: A conditional write of the ledger.
        time_left: Seconds until Lambda ends the function; a whole try must still fit in.
        sleep: Waits between two tries.
        patience: Seconds after which no further try is begun, however much time is left.

    Raises:
        LedgerUnavailable: The table stayed unavailable.
    """
    patience_is_over = stop_after_delay(patience)

    def is_over(state: RetryCallState) -> bool:
        rest = time_left() - state.upcoming_sleep
        return rest < timing.AWS_CALL_SECONDS + timing.RETURN_SECONDS or patience_is_over(state)

    retrying = Retrying(
        sleep=sleep,
        retry=retry_if_exception_type(LedgerUnavailable),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=is_over,
        reraise=True,
    )
    retrying(write)
