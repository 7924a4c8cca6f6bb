"""What a Lambda package is built to run on."""

import sysconfig
from dataclasses import dataclass

from aws_cdk import aws_lambda as lambda_

from stacks.environments import Environment
from stacks.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a package is built to run on.

    Attributes:
        python: Python's version, as far as compiled modules depend on it: `3.13`.
        platform: The platform as uv names it; None is the machine that builds.
    """

    python: str
    platform: str | None

    @classmethod
    def of_function(cls, runtime: lambda_.Runtime, architecture: lambda_.Architecture) -> "Target":
        """Return what a function of this runtime and architecture runs on."""
        machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture.name]
        return cls(python=runtime.name.removeprefix("python"), platform=f"{machine}-manylinux2014")

    @classmethod
    def of_host(cls) -> "Target":
        """Return the Python and the machine that run synth."""
        return cls(python=sysconfig.get_python_version(), platform=None)

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform or sysconfig.get_platform()}"


def requested_target(environment: Environment, package_for: object) -> Target:
    """Return what an app was asked to build its package for.

    Args:
        environment: Whose functions it is for.
        package_for: Context `package_for`: `lambda`, which is also what None means, or `host`.

    Raises:
        ConfigurationError: It is neither of the two.
    """
    if package_for in {None, "lambda"}:
        return Target.of_function(environment.function_runtime, environment.function_architecture)
    if package_for == "host":
        return Target.of_host()
    raise ConfigurationError(f"context package_for: {package_for!r} is not one of lambda, host")
