"""An embedded AWS that ended before its time, told as one error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError

from local.errors import LocalCloudError


@contextmanager
def outage_named(log: Path) -> Iterator[None]:
    """Tell of calls that the embedded AWS leaves without an answer.

    Args:
        log: what the embedded AWS has written.

    Raises:
        LocalCloudError: instead of botocore's errors about connections, naming the log.
    """
    try:
        yield
    except (NoConnection, HTTPClientError) as error:
        raise LocalCloudError(
            f"the embedded AWS does not answer any more; its log: {log}"
        ) from error
