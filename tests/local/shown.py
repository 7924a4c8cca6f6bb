"""What tests look at: a screen's output, the machine's sockets."""

import io
from pathlib import Path

from rich.console import Console

from local.screen import Screen

SOCKET_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING = "0A"  # the kernel's number for the state


class Shown(Screen):
    """A screen whose output can be read."""

    def __init__(self) -> None:
        self._output = io.StringIO()
        super().__init__(Console(file=self._output, width=120))

    def text(self) -> str:
        """All that was shown."""
        return self._output.getvalue()


def listening_addresses() -> set[tuple[str, int]]:
    """Addresses, in the kernel's notation, and ports that something on this machine listens on."""
    rows = [
        row.split()
        for table in SOCKET_TABLES
        if table.exists()
        for row in table.read_text().splitlines()[1:]
    ]
    addresses = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return {(host, int(port, 16)) for host, port in addresses}
