"""An AWS account in its own process, for tests that start other processes."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import urllib3
from moto.server import main

from local.fakes.aws import CREDENTIALS
from local.fakes.server import HOST, free_port
from local.paths import ROOT
from tests.support.aws_account import serialized_calls

READY = urllib3.Retry(600, backoff_factor=0.05, backoff_max=0.05)
"""How long the server may take to start: half a minute."""


@contextmanager
def aws_server(cores: Collection[int] = ()) -> Iterator[dict[str, str]]:
    """Run an empty moto server inside the context.

    Args:
        cores: The cores that it uses, on Linux; none: any.

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
        if cores:
            os.sched_setaffinity(server.pid, cores)
        urllib3.request("GET", f"{url}/moto-api/", retries=READY)
        yield CREDENTIALS | {"AWS_ENDPOINT_URL": url}
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    with serialized_calls():
        main(sys.argv[1:])
