"""The app's synthesis and deployment, by the CDK's command line that also deploys to AWS."""

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lambda_src.channels import parts_of
from lambda_src.core import Addressing, ConfigurationError
from lambda_src.core.contract import RELEASE
from local import paths
from local.aws import Aws, environment_without_aws
from local.emulator.metric_math import replace_metric_math
from local.errors import LocalCloudError
from local.lifecycle import Composite, GuardedProcess, scratch_directory
from stacks.channels import CHANNELS

ENVIRONMENT = "dev"
SYNTH_CONTEXT = ("-c", f"env={ENVIRONMENT}", "-c", "package_for=host")
KEPT_ASSEMBLIES = 3
EXCLUDED_DIRECTORIES = frozenset({"__pycache__", "node_modules", "cdk.out", "dist"})
"""Directories below an app's sources that a synthesis does not read; nor does it hidden ones."""
BOOTSTRAP_STACK = "CDKToolkit"
BOOTSTRAP_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Project:
    """An app, and the names of its stacks in the environment `dev`.

    Attributes:
        root: The directory of its `cdk.json`.
        sources: Files and directories below `root` that its templates and functions are made of.
        shared_stack: The stack of what its channels share.
        channel_stacks: The stacks of its channels by the channels' names, the default one first.
        addressing: The addressing of its channels by name; a missing one is by phone number.
    """

    root: Path
    sources: tuple[str, ...]
    shared_stack: str
    channel_stacks: Mapping[str, str]
    addressing: Mapping[str, Addressing] = field(default_factory=dict)

    def source_files(self) -> Iterator[Path]:
        """Yield every file that a synthesis reads."""
        for source in self.sources:
            path = self.root / source
            if path.is_file():
                yield path
            for directory, subdirectories, names in os.walk(path):
                subdirectories[:] = sorted(
                    each for each in subdirectories if not _is_excluded(each)
                )
                yield from (
                    Path(directory, each) for each in sorted(names) if not _is_excluded(each)
                )


def _is_excluded(name: str) -> bool:
    return name in EXCLUDED_DIRECTORIES or name.startswith(".")


class SourceWatch:
    """Reports which sources of an app were changed since this was created.

    Args:
        project: the app.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._versions: dict[Path, tuple[int, int]] = {}
        self._digests: dict[Path, bytes] = {}
        self.changed()

    def changed(self) -> list[str]:
        """Return the files that were changed, added or removed since the last call.

        Only files whose time or size differs are read.
        """
        before, self._versions = self._versions, dict(self._read_versions())
        touched = {path for path, _ in before.items() ^ self._versions.items()}
        changed = sorted(path for path in touched if self._has_changed(path))
        return [str(path.relative_to(self._project.root)) for path in changed]

    def _read_versions(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        for path in self._project.source_files():
            with suppress(FileNotFoundError):  # an editor may replace it at this moment
                found = os.stat(path)  # noqa: PTH116 - twice as fast
                yield path, (found.st_mtime_ns, found.st_size)

    def _has_changed(self, path: Path) -> bool:
        before = self._digests.pop(path, None)
        with suppress(FileNotFoundError):
            self._digests[path] = hashlib.sha256(path.read_bytes()).digest()
        return before != self._digests.get(path)


def default_project() -> Project:
    """Return this repository's app.

    Raises:
        LocalCloudError: a channel's parts are missing, so that its functions could not start.
    """
    # The default channel is the first one that there was.
    channels = [each.name for each in sorted(CHANNELS, key=lambda each: each.metric_filter_part)]
    try:
        addressing = {name: parts_of(name).addressing for name in channels}
    except ConfigurationError as error:
        raise LocalCloudError(str(error)) from None
    return Project(
        root=paths.ROOT,
        sources=(
            "app.py",
            "cdk.json",
            "constraints.txt",
            "requirements.txt",
            "package-lock.json",
            "stacks",
            "lambda_src",
            "local/emulator/metric_math.py",
        ),
        shared_stack="ai-multi-comms-shared-dev",
        channel_stacks={name: f"ai-multi-comms-{name}-dev" for name in channels},
        addressing=addressing,
    )


class CloudAssembly(Composite):
    """A cloud assembly of the development environment, for functions that run on this machine.

    Entering the `with` block starts the synthesis unless an assembly of the same sources is cached;
    `directory` waits for it, so that other parts can be started meanwhile.

    Args:
        cache: directory that keeps assemblies between runs.
        project: the app; this repository's own by default.
    """

    def __init__(self, cache: Path, project: Project | None = None) -> None:
        super().__init__()
        self._project = project or default_project()
        self._cached = cache / _fingerprint(self._project)
        self._synthesis: GuardedProcess | None = None
        self._output = self._cached
        self._lock: IO[str] | None = None

    def _start_parts(self, starting: ExitStack) -> None:
        if self.ready:
            return
        # Processes that need the same assembly at once wait for the first one's synthesis.
        self._cached.parent.mkdir(parents=True, exist_ok=True)
        self._lock = starting.enter_context(self._cached.parent.with_suffix(".lock").open("w"))
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if not self.ready:
            self._start_synthesis(starting)

    @property
    def ready(self) -> bool:
        """Whether no synthesis is needed."""
        return self._cached.exists()

    def directory(self) -> Path:
        """Wait for the synthesis, if there is one.

        Returns:
            The assembly, for `cdk deploy --app`; it may be deleted after the `with` block.

        Raises:
            LocalCloudError: the synthesis failed; the text contains the end of its output.
        """
        if self._synthesis and self._synthesis.wait() != 0:
            raise LocalCloudError(f"`cdk synth` failed:\n{self._synthesis.last_lines()}")
        if self._output.exists():
            replace_metric_math(self._output)
            self._store()
        if self._lock:
            self._lock.close()
        return self._cached if self.ready else self._output

    def _start_synthesis(self, starting: ExitStack) -> None:
        scratch = starting.enter_context(scratch_directory(self._cached.parent))
        self._output = scratch / "assembly"
        synthesis = start_cdk(
            *("synth", *SYNTH_CONTEXT, "--quiet", "--output", str(self._output)),
            env=environment_without_aws(),
            cwd=self._project.root,
            log=scratch / "synth.log",
        )
        self._synthesis = starting.enter_context(synthesis)

    def _store(self) -> None:
        """Move the assembly to the cache, unless the sources changed during the synthesis."""
        if _fingerprint(self._project) != self._cached.name:
            return
        if not self.ready:
            self._output.rename(self._cached)
        assemblies = self._cached.parent.glob("assembly-*")
        for old in sorted(assemblies, key=lambda path: path.stat().st_mtime)[:-KEPT_ASSEMBLIES]:
            shutil.rmtree(old, ignore_errors=True)


def _fingerprint(project: Project) -> str:
    """Return a name that changes with any source of the assembly."""
    digest = hashlib.sha256(f"{sys.version} {platform.platform()} {RELEASE}".encode())
    for path in project.source_files():
        digest.update(str(path.relative_to(project.root)).encode())
        digest.update(path.read_bytes())
    return f"assembly-{digest.hexdigest()[:16]}"


def start_cdk(*arguments: str, env: Mapping[str, str], cwd: Path, log: Path) -> GuardedProcess:
    """Start the CDK's command line.

    Args:
        arguments: the command and its options.
        env: the process environment.
        cwd: the working directory; its `cdk.json`, if there is one, names the app.
        log: the file for the command's output.

    Returns:
        The running command, to be used as a context manager.

    Raises:
        LocalCloudError: the command line is not installed.
    """
    if not paths.CDK.exists():
        raise LocalCloudError(
            f"the CDK's command line is not installed, there is no {paths.CDK}:"
            " run `make setup`, or see docs/reuse.md in another repository"
        )
    quiet = {
        "CDK_HOME": str(paths.CACHE / "cdk"),
        "NODE_COMPILE_CACHE": str(paths.CACHE / "node"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    command = [str(paths.CDK), *arguments, "--no-notices"]
    return GuardedProcess(command, env=dict(env) | quiet, cwd=cwd, log=log)


def bootstrap(aws: Aws) -> None:
    """Create the stack that `cdk bootstrap` creates, from the same template.

    The command itself would take seconds for this one request.

    Raises:
        LocalCloudError: the template is not there, or the stack could not be created.
    """
    template = paths.CDK.resolve().parent.parent / "lib/api/bootstrap/bootstrap-template.yaml"
    if not template.exists():
        raise LocalCloudError(f"the CDK's bootstrap template is missing: {template}")
    aws.cloudformation.create_stack(
        StackName=BOOTSTRAP_STACK,
        TemplateBody=template.read_text("utf-8"),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    deadline = time.monotonic() + BOOTSTRAP_SECONDS
    while (status := _stack_status(aws, BOOTSTRAP_STACK)) != "CREATE_COMPLETE":
        if status != "CREATE_IN_PROGRESS" or time.monotonic() > deadline:
            raise LocalCloudError(f"the stack {BOOTSTRAP_STACK} is in status {status}")
        time.sleep(0.05)


def _stack_status(aws: Aws, stack: str) -> str:
    (description,) = aws.cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return description["StackStatus"]


def deploy(aws: Aws, assembly: Path, workdir: Path) -> None:
    """Run `cdk deploy` for every stack of a synthesized assembly.

    Raises:
        LocalCloudError: it failed; the text contains the end of its output.
    """
    # Nothing reviews a change set here, so the deployment needs none.
    options = ("--all", "--require-approval", "never", "--method", "direct")
    command = start_cdk(
        *("deploy", "--app", str(assembly), *options),
        env=aws.command_environment(),
        cwd=paths.ROOT,
        log=workdir / "deploy.log",
    )
    with command as process:
        if process.wait() != 0:
            raise LocalCloudError(f"`cdk deploy` failed:\n{process.last_lines()}")
