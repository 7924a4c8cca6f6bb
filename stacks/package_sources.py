"""What a Lambda package is made of: the runtime, and what an app of another repository adds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import lambda_src
from stacks.errors import PackageError
from stacks.package_contents import EXCLUDED_DISTRIBUTIONS, SOURCES_LEFT_OUT

RUNTIME = Path(lambda_src.__file__).resolve().parent
"""The runtime's sources, in this repository or as installed."""


@dataclass(frozen=True, kw_only=True)
class Additions:
    """What an app's own processor code adds to the package.

    Attributes:
        packages: Directories of Python packages, each taken in under its own name.
        lock: File that lists the distributions they need beyond the runtime's, every version with
            its hash, as `uv pip compile --generate-hashes` writes it.
        services: AWS services that they call, as botocore names them, and products of Twilio,
            OpenAI and Powertools that they use, as their folders are named: `sns`, `lookups`. What
            nothing uses is left out of the package (`package_contents`).
    """

    packages: tuple[Path, ...] = ()
    lock: Path | None = None
    services: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sources:
    """What goes into a package, read once.

    Attributes:
        files: Contents by path in the package.
        locks: The lists of distributions to be installed.
        services: AWS services beyond those that the runtime calls.
    """

    files: dict[Path, bytes]
    locks: tuple[Path, ...]
    services: frozenset[str]

    @property
    def excluded(self) -> list[str]:
        """Distributions that are not installed: the runtime does without them, but an app's own."""
        locked = "\n".join(lock.read_text("utf-8") for lock in self.locks[1:])
        own = re.findall(r"^([A-Za-z0-9._-]+)==", locked, re.MULTILINE)
        return [name for name in EXCLUDED_DISTRIBUTIONS if name not in own]


def read_sources(runtime: Path, additions: Additions) -> Sources:
    """Read what a package is made of.

    Once, so that the fingerprint is that of what is packed, whoever edits meanwhile.

    Raises:
        PackageError: A package that is to be added is no directory, or has another's name.
    """
    files: dict[Path, bytes] = {}
    for package in (runtime, *additions.packages):
        if not package.is_dir():
            raise PackageError(f"additions: expected the directory of a package at {package}")
        if any(path.parts[0] == package.name for path in files):
            raise PackageError(f"additions: two packages have the name {package.name}")
        files |= dict(_read(package))
    locks = (runtime / "requirements.lock", *([additions.lock] if additions.lock else []))
    return Sources(files, locks, additions.services)


def _read(package: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(package.rglob("*")):
        if path.is_file() and not any(map(_left_out, path.relative_to(package).parts)):
            yield path.relative_to(package.parent), path.read_bytes()


def _left_out(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in SOURCES_LEFT_OUT)
