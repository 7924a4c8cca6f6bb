"""OpenAI and the channels' vendors for the deployed functions, fake or real; their credentials."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core import (
    ASSISTANTS_DIRECTORY,
    TWILIO_BASE_URL,
    AssistantDefinition,
    InvalidDefinition,
    read_definition,
)
from local import paths
from local.aws import Aws
from local.contexts import read_context
from local.deployment import ENVIRONMENT
from local.errors import LocalCloudError
from local.fakes import (
    FakeOpenAI,
    FakeService,
    FakeSes,
    FakeTwilio,
    InboxMessage,
    TwilioSettings,
)
from local.lifecycle import Composite
from local.screen import Screen
from stacks.channels import CHANNELS

INBOX_SECONDS = 5
READ_AFTER_SECONDS = 0.5
"""How soon the fake's recipients read a WhatsApp message; short, for the demo."""
REQUIRED = ("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
TEMPLATE = "TWILIO_TEMPLATE_SID"
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")

_PREFIX = f"ai-multi-comms/{ENVIRONMENT}/"
OPENAI_SECRETS = frozenset(f"{_PREFIX}openai-api-key/{channel.name}" for channel in CHANNELS)
CREDENTIALS = {
    f"{_PREFIX}{channel.name}-credentials/": channel.vendor
    for channel in CHANNELS
    if channel.credentials_form
}
"""The vendors of the channels by the prefixes of the names of their tenants' secrets."""

FakeT = TypeVar("FakeT", bound=FakeService[Any])


@dataclass(frozen=True)
class Credentials:
    """Credentials for OpenAI and Twilio, which are not shown when printed.

    Attributes:
        template_sid: the content template of first messages; None for free text.
    """

    openai_api_key: str = field(repr=False)
    twilio_account_sid: str = field(repr=False)
    twilio_auth_token: str = field(repr=False)
    template_sid: str | None = field(default=None, repr=False)

    @property
    def openai_secret(self) -> str:
        """The value of a channel's OpenAI secret, in its documented form."""
        return json.dumps({"ai_api_key": self.openai_api_key})

    @property
    def twilio_secret(self) -> str:
        """The value of a tenant's Twilio secret, in its documented form."""
        value = {
            "twilio_account_sid": self.twilio_account_sid,
            "twilio_auth_token": self.twilio_auth_token,
        }
        template = {"twilio_template_sid": self.template_sid} if self.template_sid else {}
        return json.dumps(value | template)


FAKE_CREDENTIALS = Credentials(
    openai_api_key="made-up-openai-key",
    twilio_account_sid=f"AC{'0' * 32}",
    twilio_auth_token="made-up-twilio-token",  # noqa: S106 - known to the fake only
    template_sid=f"HX{'0' * 32}",
)


@dataclass(frozen=True, kw_only=True)
class ChannelVendor:
    """What the local cloud needs of a vendor, whichever channels send through it.

    Attributes:
        fake: creates its fake.
        endpoint: the functions' environment variable with the vendor's base URL.
        secret: returns the value of a tenant's secret in its documented form; None: the vendor has
            no credentials per tenant. It is an AWS service then, and always the fake: a function on
            this machine has no AWS account.
        connect: connects the fake to what is deployed; None: the functions alone reach out.
    """

    fake: Callable[[], FakeService[Any]]
    endpoint: str
    secret: Callable[[Credentials], str] | None = None
    connect: Callable[[Any, Aws], None] | None = None


def _fake_twilio() -> FakeTwilio:
    return FakeTwilio(
        accounts={FAKE_CREDENTIALS.twilio_account_sid: FAKE_CREDENTIALS.twilio_auth_token},
        templates={str(FAKE_CREDENTIALS.template_sid): template_text()},
        settings=TwilioSettings(read_after_seconds=READ_AFTER_SECONDS),
    )


def _fake_ses() -> FakeSes:
    return FakeSes(
        tenants=example_identities(),
        configuration_sets={f"ai-multi-comms-email-{ENVIRONMENT}"},
    )


def _publish_events(fake: FakeSes, aws: Aws) -> None:
    """Let the fake publish events to the topics that the deployed configuration sets name."""
    topics: dict[tuple[str, str], str] = {}
    for name in aws.sesv2.list_configuration_sets()["ConfigurationSets"]:
        found = aws.sesv2.get_configuration_set_event_destinations(ConfigurationSetName=name)
        for destination in found["EventDestinations"]:
            arn = destination["SnsDestination"]["TopicArn"]
            topics |= {(name, kind): arn for kind in destination["MatchingEventTypes"]}

    def publish(event: Mapping[str, Any]) -> None:
        (configuration_set,) = event["mail"]["tags"]["ses:configuration-set"]
        kind = event["eventType"].upper().replace(" ", "_")
        if topic := topics.get((configuration_set, kind)):
            # The embedded AWS is stopped before the fake, and may be made to fail, as SES's own
            # publishing may; then the event is lost, and the fake goes on.
            with suppress(BotoCoreError, ClientError):
                aws.sns.publish(TopicArn=topic, Message=json.dumps(event))

    fake.publish_to(publish)


VENDORS: Mapping[str, ChannelVendor] = {
    "Twilio": ChannelVendor(
        fake=_fake_twilio,
        endpoint=TWILIO_BASE_URL,
        secret=lambda credentials: credentials.twilio_secret,
    ),
    "Amazon SES": ChannelVendor(
        fake=_fake_ses, endpoint="AWS_ENDPOINT_URL_SESV2", connect=_publish_events
    ),
}
"""The vendors by the names that the channels' entries have in `stacks/channels`."""


InboxPosition = tuple[int, ...]
"""How far an inbox was read: a number for each vendor."""


class InboxSource(Protocol):
    """What has messages of recipients, such as a fake in this process."""

    @property
    def origin(self) -> str:
        """Scheme, host and port of the fake."""

    def inbox_since(self, position: int) -> tuple[int, list[InboxMessage]]:
        """Return the present position, and the messages since an earlier one, oldest first."""


@dataclass(frozen=True)
class RemoteInbox:
    """The messages of a fake in another process.

    Attributes:
        origin: the fake's scheme, host and port.
    """

    origin: str

    def inbox_since(self, position: int) -> tuple[int, list[InboxMessage]]:
        """Return the present position, and the messages since an earlier one, oldest first."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"{self.origin}/_control/inboxes?since={position}"
        with direct.open(url, timeout=INBOX_SECONDS) as response:
            found = json.load(response)
        return found["position"], [InboxMessage(**one) for one in found["messages"]]


class Inbox:
    """The messages that recipients have received, of several vendors' fakes.

    Args:
        sources: the fakes.
    """

    def __init__(self, *sources: InboxSource) -> None:
        self._sources = sources

    @property
    def origins(self) -> list[str]:
        """Each fake's scheme, host and port."""
        return [source.origin for source in self._sources]

    def messages(self, address: str) -> list[InboxMessage]:
        """Return the messages of one recipient, oldest first of each vendor."""
        return self.all().get(address, [])

    def all(self) -> dict[str, list[InboxMessage]]:
        """Return the messages of all recipients, by address."""
        found: dict[str, list[InboxMessage]] = {}
        for message in self.since(InboxPosition())[1]:
            found.setdefault(message.recipient, []).append(message)
        return found

    def since(self, position: InboxPosition) -> tuple[InboxPosition, list[InboxMessage]]:
        """Return the present position, and the messages since an earlier one.

        Without new messages this takes no request and hardly any time where the fakes are in this
        process.

        Args:
            position: of an earlier call; an empty one for all messages.
        """
        present: list[int] = []
        messages: list[InboxMessage] = []
        for source, before in zip(self._sources, chain(position, repeat(0)), strict=False):
            after, new = source.inbox_since(before)
            present.append(after)
            messages += new
        return tuple(present), messages


class Vendors(Protocol):
    """OpenAI and the channels' vendors, for the length of a `with` block."""

    @property
    def inbox(self) -> Inbox | None:
        """The recipients' messages that can be read; None if only the recipients can see them."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def function_environment(self) -> dict[str, str]:
        """Return environment variables with which the functions reach them."""

    def connect(self, aws: Aws) -> None:
        """Replace the deployed placeholder secrets, and let fakes report to what is deployed."""


class _ChannelFakes(Composite):
    """The fakes of channels' vendors, on loopback."""

    def __init__(self, vendors: Mapping[str, ChannelVendor], credentials: Credentials) -> None:
        super().__init__()
        self.credentials = credentials
        self.inbox: Inbox | None = None
        self._vendors = {name.split()[-1].lower(): each for name, each in vendors.items()}
        self._fakes = {each.endpoint: each.fake() for each in vendors.values()}

    def _start_parts(self, starting: ExitStack) -> None:
        for fake in self._fakes.values():
            starting.enter_context(fake)
        self.inbox = Inbox(*self._fakes.values()) if self._fakes else None

    def function_environment(self) -> dict[str, str]:
        """Return the base URLs of the fakes."""
        return {variable: fake.base_url for variable, fake in self._fakes.items()}

    def connect(self, aws: Aws) -> None:
        """Store the credentials, and let the fakes report to what is deployed."""
        store_secrets(aws, self.credentials)
        for vendor in self._vendors.values():
            if vendor.connect:
                vendor.connect(self._fakes[vendor.endpoint], aws)

    def by_name(self) -> dict[str, FakeService[Any]]:
        """Return the fakes by short names, such as `ses` for Amazon SES."""
        return {name: self._fakes[each.endpoint] for name, each in self._vendors.items()}

    def _fake(self, kind: type[FakeT]) -> FakeT:
        return next(each for each in self._fakes.values() if isinstance(each, kind))


class FakeVendors(_ChannelFakes):
    """The fakes of all vendors, OpenAI included.

    Attributes:
        credentials: those that the fakes accept.
        openai: the OpenAI fake.
        twilio: the Twilio fake.
        ses: the SES fake.
    """

    def __init__(self) -> None:
        super().__init__(VENDORS, FAKE_CREDENTIALS)
        models = sorted({definition.model for definition in assistant_definitions().values()})
        self.openai = FakeOpenAI(keys={FAKE_CREDENTIALS.openai_api_key}, models=models)
        self.twilio = self._fake(FakeTwilio)
        self.ses = self._fake(FakeSes)

    def _start_parts(self, starting: ExitStack) -> None:
        starting.enter_context(self.openai)
        super()._start_parts(starting)

    def by_name(self) -> dict[str, FakeService[Any]]:
        """Return the fakes by short names."""
        return {"openai": self.openai, **super().by_name()}

    def function_environment(self) -> dict[str, str]:
        """Return the base URLs with which the SDKs reach the fakes."""
        return {"OPENAI_BASE_URL": self.openai.base_url, **super().function_environment()}


class RealVendors(_ChannelFakes):
    """OpenAI and Twilio themselves, with the user's credentials, and fakes of AWS services."""

    def __init__(self, credentials: Credentials) -> None:
        faked = {name: each for name, each in VENDORS.items() if each.secret is None}
        super().__init__(faked, credentials)

    def function_environment(self) -> dict[str, str]:
        """Return the user's proxy and certificates; what is on this machine is reached directly."""
        given = {name: os.environ.get(name) or os.environ.get(name.lower()) for name in PASSED_ON}
        internet = {name: value for name, value in given.items() if value}
        direct = {"NO_PROXY": "127.0.0.1"} if internet else {}
        return {**super().function_environment(), **internet, **direct}


def select_vendors(environment: Mapping[str, str], screen: Screen) -> FakeVendors | RealVendors:
    """Return the real vendors if the environment has all of their credentials, else the fakes.

    Args:
        environment: the process environment.
        screen: where the choice is shown.
    """
    given = {name: environment[name] for name in (*REQUIRED, TEMPLATE) if environment.get(name)}
    missing = [name for name in REQUIRED if name not in given]
    if not missing:
        openai_api_key, account_sid, auth_token = (given[name] for name in REQUIRED)
        screen.say(
            "this environment has credentials for OpenAI and Twilio: they write and send, a message"
            " costs money, and the phone of its recipient will ring",
            "bold yellow",
        )
        return RealVendors(
            Credentials(openai_api_key, account_sid, auth_token, given.get(TEMPLATE))
        )
    if given:
        screen.say(
            f"{', '.join(given)} set, but not {', '.join(missing)}: fakes write and send",
            "yellow",
        )
    return FakeVendors()


def store_secrets(aws: Aws, credentials: Credentials) -> None:
    """Replace the deployed placeholder secrets by credentials, the same for each tenant.

    The secrets of the example contexts' tenants are created if they are not deployed; a tenant that
    is added later needs no deployment.
    """
    pages = aws.secretsmanager.get_paginator("list_secrets").paginate()
    deployed = {secret["Name"] for page in pages for secret in page["SecretList"]}
    examples = example_secrets()
    for name in sorted(deployed | examples.keys()):
        value = _secret_value(name, credentials, has_template=examples.get(name, True))
        if value and name in deployed:
            aws.secretsmanager.put_secret_value(SecretId=name, SecretString=value)
        elif value:
            aws.secretsmanager.create_secret(Name=name, SecretString=value)


def _secret_value(name: str, credentials: Credentials, *, has_template: bool) -> str | None:
    """Return the value of a secret; None for a secret that does not belong to a channel."""
    if name in OPENAI_SECRETS:
        return credentials.openai_secret
    for prefix, vendor in CREDENTIALS.items():
        if name.startswith(prefix):
            entry = VENDORS.get(vendor)
            if entry is None or entry.secret is None:
                raise LocalCloudError(
                    f"VENDORS in local/vendors.py has no `secret` of {vendor}, for {name}"
                )
            return entry.secret(
                credentials if has_template else replace(credentials, template_sid=None)
            )
    return None


def example_identities() -> dict[str, set[str]]:
    """Return the domains that the example contexts' tenants send e-mail from, by tenant."""
    found: dict[str, set[str]] = {}
    for company in _example_companies():
        if config := company["channel_config"].get("email"):
            domain = config["company_email_number"].rpartition("@")[2]
            found.setdefault(company["company_id"], set()).add(domain)
    return found


def example_secrets() -> dict[str, bool]:
    """Return the tenants' secrets of the example contexts, and whether they name a template.

    A tenant has one secret for each kind of message: for a template's variables or for free text.
    """
    found: dict[str, bool] = {}
    for secret, assistant in _example_assistants():
        found[secret] = found.get(secret, False) or _writes_variables(assistant)
    return found


def _example_assistants() -> Iterator[tuple[str, str]]:
    """Yield the secret and the assistant of each channel with secrets in each example context."""
    for company in _example_companies():
        for channel, config in company["channel_config"].items():
            if secret := config.get(f"{channel}_credentials_id"):
                openai = company["ai_config"]["openai_config"][channel]
                yield secret, openai["assistant_id_template_sender"]


def _example_companies() -> Iterator[dict[str, Any]]:
    for path in paths.EXAMPLE_CONTEXTS.glob("*.json"):
        company: dict[str, Any] = json.loads(read_context(path))["company_data_payload"]
        yield company


def template_text() -> str:
    """Return the text of the content template whose variables `first_contact` writes."""
    document: dict[str, Any] = json.loads(paths.EXAMPLE_TEMPLATE.read_text("utf-8"))
    text: str = document["types"]["twilio/text"]["body"]
    return text


def _writes_variables(assistant: str) -> bool:
    definition = assistant_definitions().get(ASSISTANTS_DIRECTORY / f"{assistant}.toml")
    return bool(definition and definition.variables)


def assistant_definitions(
    directory: Path = ASSISTANTS_DIRECTORY,
) -> dict[Path, AssistantDefinition]:
    """Return the definitions in and below a directory.

    Raises:
        LocalCloudError: some are invalid; the text has a line for each problem.
    """
    found: dict[Path, AssistantDefinition] = {}
    problems: list[str] = []
    for path in sorted(directory.rglob("[!.]*.toml")):
        try:
            found[path] = read_definition(path)
        except InvalidDefinition as error:
            problems.extend(map(str, error.problems))
    if problems:
        raise LocalCloudError("\n".join(problems))
    return found
