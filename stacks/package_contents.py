"""What the Lambda package leaves out of the locked distributions, and why nothing misses it."""

from dataclasses import dataclass

_ASYNCHRONOUS = "only the asynchronous clients of twilio and openai import it; all of ours wait"

EXCLUDED_DISTRIBUTIONS = {
    "aiohttp": _ASYNCHRONOUS,
    "aiohttp-retry": _ASYNCHRONOUS,
    "aiohappyeyeballs": "aiohttp's own",
    "aiosignal": "aiohttp's own",
    "attrs": "aiohttp's own",
    "frozenlist": "aiohttp's own",
    "multidict": "aiohttp's own",
    "propcache": "aiohttp's own",
    "yarl": "aiohttp's own",
}
"""Distributions that are never installed, though the lock file lists them: name -> reason."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Paths that are removed once everything is installed.

    Attributes:
        pattern: Glob, relative to the package's root.
        reason: Why nothing misses what matches.
        keep: Names of matching files and folders that stay.
    """

    pattern: str
    reason: str
    keep: frozenset[str] = frozenset()


SERVICES = frozenset({"dynamodb", "secretsmanager", "sqs"})
"""The AWS services that the runtime calls, as botocore names them."""

_OF_EVERY_SERVICE = frozenset(
    {"_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"}
)

_PRODUCTS = "products that are not called: a client imports a product when it is first asked for it"
_UTILITIES = "utilities that are not used"
_DESCRIPTIONS = "descriptions of products that are not called"

CUTS = (
    Cut(pattern="twilio/rest/*", reason=_PRODUCTS, keep=frozenset({"__init__.py", "api"})),
    Cut(pattern="twilio/twiml", reason="the language of phone calls"),
    Cut(
        pattern="openai/resources/*",
        reason=_PRODUCTS,
        keep=frozenset({"__init__.py", "beta", "chat", "conversations", "responses"}),
    ),
    Cut(pattern="openai/types/admin", reason=_DESCRIPTIONS),
    Cut(pattern="openai/types/evals", reason=_DESCRIPTIONS),
    Cut(pattern="openai/types/live", reason=_DESCRIPTIONS),
    Cut(pattern="openai/types/realtime", reason=_DESCRIPTIONS),
    Cut(pattern="openai/types/webhooks", reason=_DESCRIPTIONS),
    Cut(pattern="openai/lib/live", reason=_PRODUCTS),
    Cut(pattern="openai/lib/realtime_translation.py", reason=_PRODUCTS),
    Cut(pattern="aws_lambda_powertools/event_handler", reason=_UTILITIES),
    Cut(
        pattern="aws_lambda_powertools/utilities/*",
        reason=_UTILITIES,
        keep=frozenset(
            {"__init__.py", "jmespath_utils", "parameters", "serialization.py", "typing"}
        ),
    ),
    Cut(pattern="pydantic/mypy.py", reason="for a type checker"),
    Cut(pattern="dateutil/zoneinfo/*.tar.gz", reason="time zones; AWS's times are in UTC"),
    Cut(
        pattern="botocore/data/*",
        reason="descriptions of services that are not called",
        keep=SERVICES | _OF_EVERY_SERVICE,
    ),
    Cut(pattern="botocore/data/dynamodb/2011-12-05", reason="an API version of the past"),
    Cut(
        pattern="boto3/data/*",
        reason="resource models of services that are not called",
        keep=SERVICES,
    ),
    Cut(pattern="boto3/examples", reason="texts for generated documentation"),
    Cut(pattern="certifi/tests", reason="a distribution's own tests"),
    Cut(pattern="bin", reason="shell commands; their first line names the building machine"),
    Cut(pattern=".lock", reason="the installer's own"),
    Cut(pattern="*.dist-info/INSTALLER", reason="the installer's own"),
    Cut(pattern="*.dist-info/REQUESTED", reason="the installer's own"),
    Cut(pattern="*.dist-info/RECORD", reason="lists what was installed, before these cuts"),
)

SOURCES_LEFT_OUT = ("__pycache__", "*.pyc", ".*", "requirements*")
"""Names in `lambda_src` that the package does without: caches, editors' files, and its recipe."""
