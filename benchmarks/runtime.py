"""Run a function with AWS's runtime interface emulator and client, as Lambda does."""

import contextlib
import json
import os
import platform
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError

import psutil

from benchmarks.bundles import Bundle, function_python, runtime_interface
from local.fakes.server import HOST, free_port

EMULATOR = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
READY_SECONDS = 10
INVOCATION_SECONDS = 900
MEMORY_MB = 512
_CORES = sorted(os.sched_getaffinity(0))
AWS_CORES, FUNCTION_CORES = _CORES[:1], _CORES[1:] or _CORES
"""AWS has a core of its own, so that its work does not slow down a function, as in Lambda."""
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


PROCESSED: Mapping[str, Any] = {"batchItemFailures": []}
"""The result of a batch in which no message failed."""


PROCESS_CLOCK = 2
"""`CPUCLOCK_SCHED`: user and system time of all threads, also of those that ended."""


class FunctionError(Exception):
    """The function failed; the text contains the end of its log."""


class Function:
    """An execution environment of a package; it starts with the first invocation.

    Args:
        bundle: The package.
        environment: The function's environment variables.
    """

    def __init__(self, bundle: Bundle, environment: Mapping[str, str]) -> None:
        self._bundle = bundle
        self._environment = environment
        self._port = free_port()

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile("w+b")
        emulator = runtime_interface() / "samcli/local/rapid" / f"aws-lambda-rie-{EMULATOR}"
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            [
                str(emulator),
                *("--runtime-interface-emulator-address", f"{HOST}:{self._port}"),
                *("--runtime-api-address", f"{HOST}:{free_port()}"),
                *(function_python(), "-m", "awslambdaric", self._bundle.handler),
            ],
            cwd=self._bundle.path[-1],
            env=self._variables(),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        os.sched_setaffinity(self._process.pid, FUNCTION_CORES)
        self._wait_for_emulator()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        below = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):  # ended with the emulator
                process.kill()
        self._log.close()

    def invoke(self, event: Mapping[str, Any], expected: Mapping[str, Any] = PROCESSED) -> float:
        """Invoke the function with an event; by default every message must be processed.

        Returns:
            Seconds; the first invocation includes the cold start.

        Raises:
            FunctionError: It returned another result than the expected one, or raised.
        """
        url = f"http://{HOST}:{self._port}/2015-03-31/functions/function/invocations"
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(
                url, data=json.dumps(event).encode(), timeout=INVOCATION_SECONDS
            ) as answer:
                result = json.loads(answer.read())
        except HTTPError as error:
            raise FunctionError(f"{self._bundle.name}: {error}\n{self.log()[-6000:]}") from error
        seconds = time.perf_counter() - started
        if result != expected:
            raise FunctionError(f"{self._bundle.name}: {result}\n{self.log()[-6000:]}")
        return seconds

    @property
    def init_seconds(self) -> float:
        """Seconds from the start of the process until its first request, from the emulator."""
        found = _INIT.search(self.log())
        if not found:
            raise FunctionError(f"{self._bundle.name} did not start:\n{self.log()[-6000:]}")
        return float(found[1]) / 1000

    def cpu_seconds(self) -> float:
        """Return the processor time of the function's process, to the microsecond.

        `/proc/<pid>/stat` has it in ticks of 10 ms, more than a message takes.
        """
        # The clock that clock_getcpuclockid(3) returns for another process.
        return time.clock_gettime((~self._runtime().pid << 3) | PROCESS_CLOCK)

    def memory_mb(self) -> float:
        """Return the current memory of the function's process."""
        return float(self._runtime().memory_info().rss / 1_000_000)

    def peak_memory_mb(self) -> float:
        """Return the peak memory of the function's process."""
        status = Path(f"/proc/{self._runtime().pid}/status").read_text("utf-8")
        return int(_PEAK.findall(status)[0]) * 1024 / 1_000_000

    def log(self) -> str:
        """Return the output so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _runtime(self) -> psutil.Process:
        (process,) = psutil.Process(self._process.pid).children()
        return process

    def _variables(self) -> dict[str, str]:
        modules = os.pathsep.join(map(str, (*self._bundle.path, runtime_interface())))
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": modules,
            "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's task root is read-only
            "AWS_LAMBDA_FUNCTION_NAME": "processor",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(INVOCATION_SECONDS),
            **self._environment,
        }

    def _wait_for_emulator(self) -> None:
        ends_at = time.monotonic() + READY_SECONDS
        while f":{self._port:04X} " not in _listening():
            if time.monotonic() > ends_at:
                raise FunctionError(f"the emulator does not listen:\n{self.log()}")
            time.sleep(0.01)


def _listening() -> str:
    # Read from the kernel: a connection without a request would affect the measurement.
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()
    return " ".join(f"{line.split()[1]} " for line in lines[1:] if line.split()[3] == "0A")
