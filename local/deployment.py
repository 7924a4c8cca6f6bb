"""The app, deployed to the embedded AWS by the command line that deploys it to AWS."""

from pathlib import Path

from local import paths
from local.aws import Aws
from local.cdk import start_cdk
from local.errors import LocalCloudError
from local.scratch import scratch_directory


def bootstrap(aws: Aws, workdir: Path) -> None:
    """Run `cdk bootstrap` against the embedded AWS.

    Raises:
        LocalCloudError: it failed; the text holds the end of what it wrote.
    """
    # Outside the project: with a `cdk.json` at hand the command would synthesize the app first.
    with scratch_directory(workdir) as elsewhere:
        target = f"aws://{aws.account}/{aws.region}"
        _run("bootstrap", target, aws=aws, cwd=elsewhere, log=workdir / "bootstrap.log")


def deploy(aws: Aws, assembly: Path, workdir: Path) -> None:
    """Run `cdk deploy` for every stack of a synthesized assembly.

    Raises:
        LocalCloudError: it failed; the text holds the end of what it wrote.
    """
    what = ("--app", str(assembly), "--all", "--require-approval", "never")
    _run("deploy", *what, aws=aws, cwd=paths.ROOT, log=workdir / "deploy.log")


def _run(command: str, *options: str, aws: Aws, cwd: Path, log: Path) -> None:
    environment = aws.command_environment()
    with start_cdk(command, *options, env=environment, cwd=cwd, log=log) as process:
        if process.wait() != 0:
            raise LocalCloudError(f"`cdk {command}` failed:\n{process.last_lines()}")
