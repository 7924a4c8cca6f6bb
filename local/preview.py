"""`make preview`: what the AI would write for a context object, without any cloud."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lambda_src.channels import parts_of
from lambda_src.core import ConfigurationError
from local import paths
from local.contexts import EXAMPLE, channel_name, read_context
from local.errors import LocalCloudError
from local.screen import Screen
from local.vendors import FakeVendors
from ops.commands.preview import draft_message, show_draft
from ops.console import Console
from ops.credential_checks import API_KEY
from ops.drafting import Drafter
from ops.errors import OperatorError


def preview(path: Path | None, screen: Screen, environment: Mapping[str, str]) -> int:
    """Draft the message of a context object, with OpenAI if there is a key, else with its fake.

    Args:
        path: the context object's file.
        screen: where it is said who writes.
        environment: the process environment, which may contain a key.

    Returns:
        The exit code: 0 if the message would be sent, else 1.

    Raises:
        LocalCloudError: the context object cannot be read or is not valid.
    """
    if path is None:
        example = EXAMPLE.relative_to(paths.ROOT)
        raise LocalCloudError(f"name a context object, such as: make preview CONTEXT={example}")
    body = read_context(path)
    channel = channel_name(body)
    console = Console()
    try:
        with _openai(environment, screen) as (key, base_url):
            drafter = Drafter.of_key(channel, parts_of(channel), key, base_url)
            draft = draft_message(console, drafter, body)
    except (OperatorError, ConfigurationError) as error:
        raise LocalCloudError(str(error)) from error
    show_draft(console, draft)
    return 0 if draft.is_sent else 1


@contextmanager
def _openai(environment: Mapping[str, str], screen: Screen) -> Iterator[tuple[str, str]]:
    """Yield an API key and the address where it is valid."""
    if key := environment.get(API_KEY):
        screen.say(f"{API_KEY} is set: OpenAI writes, and its answers cost money", "bold yellow")
        yield key, ""
        return
    vendors = FakeVendors()
    with vendors.openai as fake:
        yield vendors.credentials.openai_api_key, fake.base_url
