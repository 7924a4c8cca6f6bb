"""The contents of a Lambda package: the sources it is made of, and what is left out of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import lambda_src
from lambda_src.core.ai.definitions import InvalidDefinition, parse_definition_file
from stacks.errors import PackageError

RUNTIME = Path(lambda_src.__file__).resolve().parent
"""The runtime's sources, in this repository or as installed."""

IGNORED_SOURCES = ("__pycache__", "*.pyc", ".*", "requirements*")
"""Names in a source directory that are not packed: caches, editors' files and requirements."""

DEFINITIONS = "assistants"
"""Name of the directories that contain assistant definitions, in every package."""

_ASYNCHRONOUS = "imported only by the asynchronous clients of twilio and openai, which are not used"

EXCLUDED_DISTRIBUTIONS = {
    "aiohttp": _ASYNCHRONOUS,
    "aiohttp-retry": _ASYNCHRONOUS,
    "aiohappyeyeballs": "a dependency of aiohttp",
    "aiosignal": "a dependency of aiohttp",
    "attrs": "a dependency of aiohttp",
    "frozenlist": "a dependency of aiohttp",
    "multidict": "a dependency of aiohttp",
    "propcache": "a dependency of aiohttp",
    "yarl": "a dependency of aiohttp",
}
"""Distributions that are never installed, although the lock file lists them: name -> reason."""


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Paths that are removed after the installation.

    Attributes:
        pattern: Glob, relative to the package's root.
        reason: Why they are not needed.
        keep: Names of matching files and folders that stay.
    """

    pattern: str
    reason: str
    keep: frozenset[str] = frozenset()


SERVICES = frozenset({"dynamodb", "secretsmanager", "sqs"})
"""The AWS services that the runtime calls, as botocore names them."""

_SHARED_BY_SERVICES = frozenset(
    {"_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"}
)
_PRODUCTS = "products that are not called; a client imports a product at its first use"
_TYPES = "types of products that are not called"

EXCLUSIONS = (
    Exclusion(pattern="twilio/rest/*", reason=_PRODUCTS, keep=frozenset({"__init__.py", "api"})),
    Exclusion(pattern="twilio/twiml", reason="the language of phone calls"),
    Exclusion(
        pattern="openai/resources/*",
        reason=_PRODUCTS,
        keep=frozenset({"__init__.py", "beta", "chat", "conversations", "responses"}),
    ),
    Exclusion(pattern="openai/types/admin", reason=_TYPES),
    Exclusion(pattern="openai/types/evals", reason=_TYPES),
    Exclusion(pattern="openai/types/live", reason=_TYPES),
    Exclusion(pattern="openai/types/realtime", reason=_TYPES),
    Exclusion(pattern="openai/types/webhooks", reason=_TYPES),
    Exclusion(pattern="openai/lib/live", reason=_PRODUCTS),
    Exclusion(pattern="openai/lib/realtime_translation.py", reason=_PRODUCTS),
    Exclusion(pattern="pydantic/mypy.py", reason="for a type checker"),
    Exclusion(pattern="dateutil/zoneinfo/*.tar.gz", reason="time zones; AWS's times are in UTC"),
    Exclusion(
        pattern="botocore/data/*",
        reason="models of services that are not called",
        keep=SERVICES | _SHARED_BY_SERVICES,
    ),
    Exclusion(pattern="botocore/data/dynamodb/2011-12-05", reason="an obsolete API version"),
    Exclusion(pattern="certifi/tests", reason="a distribution's own tests"),
    Exclusion(pattern="bin", reason="shell commands, which name the build machine's interpreter"),
    Exclusion(pattern=".lock", reason="written by the installer"),
    Exclusion(pattern="*.dist-info/INSTALLER", reason="written by the installer"),
    Exclusion(pattern="*.dist-info/REQUESTED", reason="written by the installer"),
    Exclusion(pattern="*.dist-info/RECORD", reason="lists the files before these removals"),
)


@dataclass(frozen=True, kw_only=True)
class Additions:
    """What an app's own processor code adds to the package.

    Attributes:
        packages: Directories of Python packages, each packed under its own name. Assistant
            definitions are checked in and below their directories of the name `assistants`.
        lock: Lock file of the distributions that they need beyond the runtime's, with hashes, as
            `uv pip compile --generate-hashes` writes it.
        services: AWS services that they call, as botocore names them, and products of Twilio and
            OpenAI that they use, by folder name: `sns`, `lookups`. They are kept in
            the package although `EXCLUSIONS` matches them.
    """

    packages: tuple[Path, ...] = ()
    lock: Path | None = None
    services: frozenset[str] = frozenset()


NO_ADDITIONS = Additions()


@dataclass(frozen=True)
class Sources:
    """The input of a package, read once.

    Attributes:
        files: Contents by path in the package.
        locks: The lock files of the distributions to install.
        services: The services and products of `Additions`.
    """

    files: dict[Path, bytes]
    locks: tuple[Path, ...]
    services: frozenset[str]

    @property
    def excluded(self) -> list[str]:
        """Distributions that are not installed, except those that an app's own lock file lists."""
        locked = "\n".join(lock.read_text("utf-8") for lock in self.locks[1:])
        own = re.findall(r"^([A-Za-z0-9._-]+)==", locked, re.MULTILINE)
        return [name for name in EXCLUDED_DISTRIBUTIONS if name not in own]


def read_sources(runtime: Path, additions: Additions) -> Sources:
    """Read the sources once, so that the fingerprint matches the package if a file is edited.

    Raises:
        PackageError: An added package is not a directory, or has the name of another one; or some
            assistant definitions are invalid, and the error lists all of them.
    """
    files: dict[Path, bytes] = {}
    for package in (runtime, *additions.packages):
        if not package.is_dir():
            raise PackageError(f"additions: expected the directory of a package at {package}")
        if any(path.parts[0] == package.name for path in files):
            raise PackageError(f"additions: two packages have the name {package.name}")
        files |= dict(_read(package))
    if problems := list(_definition_problems(files)):
        raise PackageError("\n".join(problems))
    locks = (runtime / "requirements.lock", *([additions.lock] if additions.lock else []))
    return Sources(files, locks, additions.services)


def _read(package: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(package.rglob("*")):
        if path.is_file() and not any(map(_is_ignored, path.relative_to(package).parts)):
            try:
                yield path.relative_to(package.parent), path.read_bytes()
            except OSError as error:
                raise PackageError(f"{path}: cannot be read: {error.strerror}") from None


def _definition_problems(files: Mapping[Path, bytes]) -> Iterator[str]:
    for path, content in files.items():
        if path.suffix == ".toml" and DEFINITIONS in path.parent.parts:
            try:
                parse_definition_file(content, path.as_posix())
            except InvalidDefinition as error:
                yield from map(str, error.problems)


def _is_ignored(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in IGNORED_SOURCES)
