"""MiniStack in a process of its own, on one free loopback port."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

from botocore.exceptions import ConnectionError as BotocoreConnectionError
from botocore.exceptions import HTTPClientError

from local import paths
from local.aws import Aws, base_environment
from local.emulator import ministack_process
from local.errors import LocalCloudError
from local.fakes.server import HOST
from local.lifecycle import Composite, GuardedProcess, scratch_directory

AWS_LOG = "embedded-aws.log"
START_SECONDS = 30
POLL_SECONDS = 0.05
MEMORY_DIRECTORY = Path("/dev/shm")  # noqa: S108 - only for directories with random names
CONNECTION_ERRORS = BotocoreConnectionError, HTTPClientError, urllib.error.URLError, TimeoutError
MIN_MEMORY_BYTES = 2 * 1024**3


class MiniStack(Composite):
    """An empty embedded AWS for the length of a `with` block.

    Functions run as its child processes and inherit its environment; the variables of the deployed
    template take precedence. That is how they find local servers without a different deployment.

    Args:
        address: its endpoint, account and region.
        workdir: the directory of its log.
        function_environment: variables that the functions inherit.

    Attributes:
        pid: the id of its process group, which includes the functions' processes; set on entry.
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
        if not paths.CLOUD_PYTHON.exists():
            raise LocalCloudError(
                f"the embedded AWS is not installed, there is no {paths.CLOUD_PYTHON}:"
                " run `make setup`, or see docs/reuse.md in another repository"
            )
        scratch = starting.enter_context(scratch_directory(_scratch_parent(self._workdir)))
        process = GuardedProcess(
            [str(paths.CLOUD_PYTHON), "-P", ministack_process.__file__],
            env=self._environment(scratch),
            cwd=scratch,
            log=self._workdir / AWS_LOG,
        )
        starting.enter_context(process)
        self._wait_until_ready(process)
        self.pid = process.pid

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
                # Listeners and helpers of services that are not used here.
                "SFTP_ENABLED": "0",
                "IOT_MTLS_ENABLED": "0",
                "DOCKER_HOST": f"unix://{scratch}/no-docker.sock",
            }
        )

    def _wait_until_ready(self, process: GuardedProcess) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if not process.running() or time.monotonic() > deadline:
                raise LocalCloudError(f"the embedded AWS did not start:\n{process.last_lines()}")
            time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self._address.endpoint}/_ministack/ready", timeout=1) as response:
                return bool(response.status == HTTPStatus.OK)
        except (urllib.error.URLError, OSError):
            return False


def _scratch_parent(workdir: Path) -> Path:
    """Return a directory for the unpacked functions: in memory where possible, else `workdir`.

    Each of the functions' processes unpacks thousands of files, which takes a quarter of the
    processor time in memory. A small file system, or one without execution, cannot be used.
    """
    try:
        memory = os.statvfs(MEMORY_DIRECTORY)
    except OSError:
        return workdir
    is_usable = (
        memory.f_bavail * memory.f_frsize >= MIN_MEMORY_BYTES
        and not memory.f_flag & getattr(os, "ST_NOEXEC", 0)
        and os.access(MEMORY_DIRECTORY, os.W_OK)
    )
    return MEMORY_DIRECTORY if is_usable else workdir


@contextmanager
def map_connection_errors(log: Path) -> Iterator[None]:
    """Report requests that the embedded AWS does not respond to as one error.

    Args:
        log: the embedded AWS's log.

    Raises:
        LocalCloudError: instead of connection errors of botocore and urllib, naming the log.
    """
    try:
        yield
    except CONNECTION_ERRORS as error:
        raise LocalCloudError(f"the embedded AWS no longer responds; its log: {log}") from error
