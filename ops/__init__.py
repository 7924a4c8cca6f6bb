"""The operator's command line for a deployed channel, on AWS and on the local cloud."""

import gc
import os
import sys
from pathlib import Path

INTERRUPTED = 130  # the exit code that shells report after Ctrl-C


def main() -> None:
    """Run the command line; Ctrl-C during its start ends it without a traceback."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as in `<&-`
            stream = Path(os.devnull).open("r+", encoding="utf-8")  # noqa: SIM115 - until the end
            setattr(sys, name, stream)
    gc.set_threshold(50_000)  # imports create many objects, and a collection would free none
    try:
        # Imported here: this takes most of the start.
        from ops.cli import build_app  # noqa: PLC0415

        build_app(*sys.argv[1:2])()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was changed\n")
        sys.exit(INTERRUPTED)
