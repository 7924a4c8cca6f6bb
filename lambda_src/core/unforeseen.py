"""What nobody foresaw: told by where it happened, never by its text."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR

from lambda_src.core.contract import LogEvent
from lambda_src.core.errors import ProcessingError, Step, TransientFailure


class UnforeseenFailure(TransientFailure):
    """An error that nobody foresaw, of any step but the send itself: recorded as `retry`."""

    shared_event = LogEvent.UNEXPECTED_ERROR
    level = ERROR


@contextmanager
def under_way(step: Step) -> Iterator[None]:
    """Let an error that nobody foresaw be a failure of that step, while the context lasts.

    Also a decorator, of a function that is the step. Of steps within steps, the innermost counts.

    Raises:
        UnforeseenFailure: In the stead of any error that is not a `ProcessingError`.
    """
    try:
        yield
    except ProcessingError:
        raise
    except Exception as error:
        raise UnforeseenFailure(
            LogEvent.UNEXPECTED_ERROR, step, type(error).__name__, fields=place_of(error)
        ) from error


def place_of(error: Exception) -> dict[str, object]:
    """The error's type and the code's lines, as fields of a log line.

    Nothing else of it: its text may quote a message, a number or a key.
    """
    frames = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    return {"error_type": type(error).__name__, "frames": frames}
