"""How commands in other terminals find a local cloud that runs."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local import paths
from local.aws import Aws
from local.ministack import HOST

WORKDIR = paths.CACHE / "up"
"""Takes the logs of its parts."""

STATE_FILE = paths.CACHE / "running.json"


@dataclass(frozen=True)
class Running:
    """A local cloud that another process keeps running.

    Attributes:
        pid: that process's.
        endpoint: URL of the embedded AWS.
        account: the embedded AWS's account.
        region: its region.
        phones: origin of the stand-in for Twilio; None when the real services are in use.
        base_urls: the variables that lead the SDKs to the stand-ins; none for the real services.
    """

    pid: int
    endpoint: str
    account: str
    region: str
    phones: str | None
    base_urls: Mapping[str, str] = field(default_factory=dict)

    @property
    def aws(self) -> Aws:
        """A handle on its embedded AWS."""
        return Aws(self.endpoint, self.account, self.region)

    def alive(self) -> bool:
        """Whether the process is still there, and its embedded AWS answers."""
        try:
            os.kill(self.pid, 0)
            port = int(self.endpoint.rpartition(":")[2])
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def announced(running: Running, state_file: Path = STATE_FILE) -> Iterator[None]:
    """Let others find a running local cloud for the length of a `with` block."""
    state_file.parent.mkdir(parents=True, exist_ok=True)
    state_file.write_text(json.dumps(asdict(running)))
    try:
        yield
    finally:
        state_file.unlink(missing_ok=True)


def find_running(state_file: Path = STATE_FILE) -> Running | None:
    """The local cloud that runs now, if one does; what a dead one left behind is ignored."""
    try:
        running = Running(**json.loads(state_file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return running if running.alive() else None
