"""The embedded AWS: MiniStack in a process of its own, on one free loopback port."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from local import paths
from local.aws import Aws, base_environment
from local.composite import Composite
from local.errors import LocalCloudError
from local.processes import Leashed
from local.scratch import scratch_directory

HOST = "127.0.0.1"
AWS_LOG = "embedded-aws.log"
READY_SECONDS = 30
PROBE_SECONDS = 0.05


class MiniStack(Composite):
    """An embedded AWS without any state, for the length of a `with` block.

    Functions run as its child processes and inherit its environment beneath their own variables,
    which is how they learn of local servers without a change to what was deployed.

    Args:
        address: where it shall answer, as which account and region.
        workdir: takes its log and, while it runs, the unpacked functions.
        function_environment: variables for the functions' processes, beneath those that the
            deployed template gives them.

    Within the block there is also `pid`, of the process above all of its own, the functions' too.
    """

    pid: int

    def __init__(
        self, address: Aws, *, workdir: Path, function_environment: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._address = address
        self._workdir = workdir
        self._function_environment = function_environment

    def _start_parts(self, starting: ExitStack) -> None:
        scratch = starting.enter_context(scratch_directory(self._workdir))
        process = starting.enter_context(self._start(scratch))
        self._await_ready(process)
        self.pid = process.pid

    def _start(self, scratch: Path) -> Leashed:
        if not paths.CLOUD_PYTHON.exists():
            raise LocalCloudError(
                f"the embedded AWS is not installed, there is no {paths.CLOUD_PYTHON}:"
                " run `make setup`, or see docs/reuse.md in another repository"
            )
        return Leashed(
            [str(paths.CLOUD_PYTHON), "-m", "ministack"],
            env=self._environment(scratch),
            cwd=scratch,
            log=self._workdir / AWS_LOG,
        )

    def _environment(self, scratch: Path) -> dict[str, str]:
        return (
            base_environment()
            | dict(self._function_environment)
            | {
                "HOME": str(scratch),
                "TMPDIR": str(scratch),
                "BIND_HOST": HOST,
                "MINISTACK_HOST": HOST,
                "GATEWAY_PORT": self._address.endpoint.rpartition(":")[2],
                "MINISTACK_ACCOUNT_ID": self._address.account,
                "MINISTACK_REGION": self._address.region,
                # Listeners and helpers of services that nothing here uses.
                "SFTP_ENABLED": "0",
                "IOT_MTLS_ENABLED": "0",
                "DOCKER_HOST": f"unix://{scratch}/no-docker.sock",
            }
        )

    def _await_ready(self, process: Leashed) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if not process.running() or time.monotonic() > deadline:
                raise LocalCloudError(f"the embedded AWS did not start:\n{process.last_lines()}")
            time.sleep(PROBE_SECONDS)

    def _answers(self) -> bool:
        request = f"{self._address.endpoint}/_ministack/ready"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=1) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's "OK"
        except (urllib.error.URLError, OSError):
            return False


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
