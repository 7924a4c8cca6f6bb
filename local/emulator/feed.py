"""What has changed in the embedded AWS, in one request, and log lines by their positions.

The embedded AWS serves both besides AWS's APIs (see `ministack_process`), so that observing an idle
local cloud takes next to no processor time.
"""

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.aws import Aws
from local.emulator.ministack_process import CHANGES_PATH
from local.errors import LocalCloudError

REQUEST_SECONDS = 60
"""The embedded AWS answers one request after the other, and a scan of many records takes long."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(aws: Aws, path: str, **query: object) -> Any:
    """Return a JSON document that the embedded AWS serves besides AWS's APIs.

    Raises:
        LocalCloudError: what the query names does not exist.
    """
    url = f"{aws.endpoint}{path}?{urllib.parse.urlencode(query)}"
    try:
        with _direct.open(url, timeout=REQUEST_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise LocalCloudError(f"{path}: {error.read().decode(errors='replace')}") from error


@dataclass(frozen=True)
class Changes:
    """What an observer compares with what it saw before.

    Attributes:
        logs: The position of the next line of each log group that has had lines.
        queues: The number of messages in each queue, those in flight included, by its name.
        data_points: The number of values of metrics that were published so far.
        alarms: The number of changes of alarms' states so far.
        records: The number of writes to tables so far.
    """

    logs: Mapping[str, int]
    queues: Mapping[str, int]
    data_points: int
    alarms: int
    records: int

    def log_end(self, log_group: str) -> int:
        """Return the position of the next line of a log group."""
        return self.logs.get(log_group, 0)

    def queue_depth(self, queue_url: str) -> int:
        """Return the number of messages in a queue."""
        return self.queues.get(queue_url.rpartition("/")[2], 0)


class Feed:
    """What has changed in an embedded AWS, for any number of observers; thread-safe.

    Args:
        aws: where it is.
        max_age_seconds: how old what `changes` returns may be: observers at the same time share a
            request.
    """

    def __init__(self, aws: Aws, max_age_seconds: float = 0.25) -> None:
        self._aws = aws
        self._max_age = max_age_seconds
        self._lock = threading.Lock()
        self._latest: tuple[float, Changes] | None = None

    def changes(self) -> Changes:
        """Return what has changed until now, or until shortly before."""
        with self._lock:
            now = time.monotonic()
            if self._latest is None or now - self._latest[0] >= self._max_age:
                self._latest = now, Changes(**fetch(self._aws, CHANGES_PATH))
            return self._latest[1]
