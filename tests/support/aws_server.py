"""An AWS account in its own process, for tests that start other processes."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import main

from local.emulator.ministack import HOST, free_port
from local.paths import ROOT
from tests.support.aws_account import atomic_transactions

READY_SECONDS = 30


@contextmanager
def aws_server() -> Iterator[dict[str, str]]:
    """Run an empty moto server inside the context.

    Yields:
        The environment variables that direct AWS's SDKs to it.
    """
    url = f"http://{HOST}:{(port := free_port())}"
    server = subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-m", __name__, "-H", HOST, "-p", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"{url}/moto-api/")
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
        }
    finally:
        server.kill()
        server.wait()


def _wait_for(url: str) -> None:
    ends_at = time.monotonic() + READY_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - our own address
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    with atomic_transactions():
        main(sys.argv[1:])
