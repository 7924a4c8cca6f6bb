"""Run a command that ends with the process that started it, even if that process is killed.

Run as a program: `python process_guard.py <command> …`, in a session of its own and with a pipe as
standard input. When the other end of the pipe is closed, every process of the session receives
SIGTERM and, after a grace period, SIGKILL.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 1.5


def main() -> None:
    """Run the command of the arguments and exit with its exit code."""
    # A handler instead of SIG_IGN, which the command would inherit.
    signal.signal(signal.SIGTERM, lambda *_: None)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - our own command
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(command.wait())


def _end_with_parent() -> None:
    os.read(0, 1)  # returns at the end of file: nothing is ever written
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
