"""The CDK's command line, the very one that deploys to AWS, told to keep to this machine."""

from collections.abc import Mapping
from pathlib import Path

from local import paths
from local.errors import LocalCloudError
from local.processes import Leashed


def start_cdk(*arguments: str, env: Mapping[str, str], cwd: Path, log: Path) -> Leashed:
    """Start a command.

    Args:
        arguments: the command and its options.
        env: the process environment.
        cwd: the directory; one with a `cdk.json` makes that the app.
        log: the file that takes what the command writes.

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
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    command = [str(paths.CDK), *arguments, "--no-notices"]
    return Leashed(command, env=dict(env) | quiet, cwd=cwd, log=log)
