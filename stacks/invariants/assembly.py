"""Synthesized templates as the invariants read them: resources, functions, policies, metadata."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from lambda_src.core.contract import (
    EVENTS_HANDLER,
    HANDLER,
    METRICS_NAMESPACE,
    RECEIVER_HANDLER,
    REQUIRED_VARIABLES,
    SCHEDULER_HANDLER,
    VENDOR_CHECK_HANDLER,
    Variable,
)
from lambda_src.core.settings import (
    ConfigurationError,
    SchedulerSettings,
    Settings,
    VendorCheckSettings,
)
from stacks.config.environments import Environment, Tier

METADATA = "Invariants"
"""The key of a template's metadata that holds `StackMetadata`, and of a function's metadata."""

CHANNEL_VARIABLES = "variables"
"""In a function's metadata: the names of the environment variables that its channel adds."""

TABLE = "AWS::DynamoDB::Table"
FUNCTION = "AWS::Lambda::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
SUBSCRIPTION = "AWS::SNS::Subscription"
LOG_GROUP = "AWS::Logs::LogGroup"
METRIC_FILTER = "AWS::Logs::MetricFilter"
ALARM = "AWS::CloudWatch::Alarm"
KEY = "AWS::KMS::Key"
RULE = "AWS::Events::Rule"

VARIABLES = "Environment.Variables"
"""The path of a function's environment variables."""

KNOWN_VARIABLES = frozenset({*Variable, METRICS_NAMESPACE})
"""The variables that the runtime and its libraries read and that a template may set."""

DEPLOYED = "https://resolved-at-deployment"
"""Placeholder for the value of a variable that is a reference."""

EVENTS_WORKER = "-events-worker-"
"""Part of the names of functions that record delivery events."""

Statement = Mapping[str, Any]
"""A statement of an IAM policy."""


@dataclass(frozen=True, kw_only=True)
class StackMetadata:
    """The keys of a stack's environment that invariants need and a template does not have."""

    environment: str = ""
    tier: Tier = Tier.DEVELOPMENT
    messages_per_second: Mapping[str, float] = field(default_factory=dict)
    ai_seconds_per_message: float | None = None
    openai_requests_per_minute: int | None = None
    openai_tokens_per_minute: int | None = None
    tokens_per_message: int | None = None
    messages_per_day: Mapping[str, float] = field(default_factory=dict)
    peak_hour_share: float | None = None
    longest_wait_seconds: int | None = None

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """Return the metadata of an environment."""
        names = {key.name for key in fields(cls)} - {"environment"}
        return cls(
            environment=environment.name, **{name: getattr(environment, name) for name in names}
        )

    @classmethod
    def read(cls, template: Mapping[str, Any]) -> Self | None:
        """Return the metadata of a template; None if it has none of our constructs."""
        values = template.get("Metadata", {}).get(METADATA)
        if values is None:
            return None
        texts = {"environment": values.get("environment", ""), "tier": Tier(values["tier"])}
        numbers = {name: _to_number(values[name]) for name in values.keys() - texts.keys()}
        return cls(**texts, **numbers)

    def write(self) -> dict[str, Any]:
        """Return the template's metadata, without the keys that the environment does not set."""
        return {
            name: _to_json(value)
            for name, value in asdict(self).items()
            if value not in ("", None, {})
        }


def _to_json(value: Any) -> Any:
    # A template's metadata must not have fractions (cfn-lint E4002), so they are written as text.
    if isinstance(value, Mapping):
        return {name: _to_json(part) for name, part in value.items()}
    return str(value) if isinstance(value, float | str) else value


def _to_number(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _to_number(part) for name, part in value.items()}
    return float(value) if isinstance(value, str) else value


class UnresolvedValue(Exception):
    """A value that an invariant needs is not a literal in the template.

    Args:
        resource: The resource of the value.
        path: The property's path.
        expected: What the value has to be.
    """

    def __init__(self, resource: "Resource", path: str, expected: str) -> None:
        super().__init__(f"{resource.logical_id}: {path} is not {expected}")
        self.resource = resource
        self.path = path
        self.expected = expected


@dataclass(frozen=True, eq=False)
class Template:
    """One stack's template.

    Attributes:
        stack: The stack's construct path.
        stack_name: The stack's name in CloudFormation.
        body: The template.
        file: The file that it was read from.
        is_protected: Whether the stack has termination protection.
    """

    stack: str
    stack_name: str
    body: Mapping[str, Any]
    file: Path = Path()
    is_protected: bool = False

    @classmethod
    def read(cls, stack: str, file: Path) -> "Template":
        """Read a template, and its stack's properties from the manifest of the cloud assembly."""
        manifest = json.loads((file.parent / "manifest.json").read_text())
        ((artifact, properties),) = [
            (name, artifact["properties"])
            for name, artifact in manifest["artifacts"].items()
            if artifact.get("properties", {}).get("templateFile") == file.name
        ]
        return cls(
            stack=stack,
            stack_name=properties.get("stackName", artifact),
            body=json.loads(file.read_text()),
            file=file,
            is_protected=properties.get("terminationProtection", False),
        )

    @cached_property
    def metadata(self) -> StackMetadata | None:
        """The metadata of the stack's environment; None for a stack without our constructs."""
        return StackMetadata.read(self.body)

    @cached_property
    def resources(self) -> Mapping[str, "Resource"]:
        """The template's resources by logical id."""
        resources = self.body.get("Resources", {})
        return {name: Resource(self, name, body) for name, body in resources.items()}


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource of a template."""

    template: Template
    logical_id: str
    body: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Its CloudFormation type."""
        return str(self.body["Type"])

    @property
    def metadata(self) -> StackMetadata:
        """The metadata of its environment."""
        return self.template.metadata or StackMetadata()

    def value(self, path: str, default: object = None) -> Any:
        """Return a property by its path such as `ScalingConfig.MaximumConcurrency`."""
        found: Any = self.body.get("Properties", {})
        for part in path.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return default
            found = found[part]
        return found

    def integer(self, path: str, default: int | None = None) -> int | None:
        """Return a whole number, which CloudFormation also accepts as text.

        Raises:
            UnresolvedValue: It is something else, for example a reference.
        """
        value = self.value(path, default)
        if value is None or type(value) is int:
            return value
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        raise UnresolvedValue(self, path, "a literal number")


class Assembly:
    """The templates of one synth, and the references between their resources.

    Args:
        templates: All of them. The invariants apply to those with metadata; the others may be
            referred to.
    """

    def __init__(self, templates: Sequence[Template]) -> None:
        self.templates = templates
        self.checked = [template for template in templates if template.metadata]

    def resources(self, *types: str) -> Iterator[Resource]:
        """Yield the resources of these CloudFormation types in the checked templates."""
        for template in self.checked:
            yield from (each for each in template.resources.values() if each.type in types)

    def all_resources(self, *types: str) -> Iterator[Resource]:
        """Yield the resources of these types in all templates."""
        for template in self.templates:
            yield from (each for each in template.resources.values() if each.type in types)

    def resolve(self, template: Template, value: object, *types: str) -> Resource | None:
        """Return the first resource of these types that a value of a template refers to.

        References to another stack of the assembly are followed.
        """
        found = (each for each in self._references(template, value) if each.type in types)
        return next(found, None)

    def _references(self, template: Template, value: object) -> Iterator[Resource]:
        if isinstance(value, list):
            for part in value:
                yield from self._references(template, part)
        if not isinstance(value, Mapping):
            return
        for key, part in value.items():
            match key:
                case "Ref" | "Fn::GetAtt":
                    yield from self._named(template, part)
                case "Fn::GetStackOutput":
                    yield from self._output(part)
                case "Fn::ImportValue":
                    yield from self._export(part)
                case _:
                    yield from self._references(template, part)

    def _named(self, template: Template, target: object) -> Iterator[Resource]:
        name = target[0] if isinstance(target, list) else str(target).split(".")[0]
        resource = template.resources.get(name)
        if resource is None:
            return
        yield resource
        if resource.type in {"AWS::Lambda::Alias", "AWS::Lambda::Version"}:
            yield from self._references(template, resource.value("FunctionName"))

    def _output(self, target: Mapping[str, object]) -> Iterator[Resource]:
        for template in self.templates:
            output = template.body.get("Outputs", {}).get(target.get("OutputName"))
            if output and template.stack_name == target.get("StackName"):
                yield from self._references(template, output["Value"])

    def _export(self, name: object) -> Iterator[Resource]:
        for template in self.templates:
            for output in template.body.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == name:
                    yield from self._references(template, output["Value"])

    def statements(self, resource: Resource, policy_type: str, attached_by: str) -> list[Statement]:
        """Return the statements of the policies that are attached to a resource.

        Args:
            resource: The resource.
            policy_type: The policies' CloudFormation type.
            attached_by: The policies' property that names the resources.
        """
        found: list[Statement] = []
        for policy in self.all_resources(policy_type):
            targets = as_list(policy.value(attached_by, []))
            attached = (self.resolve(policy.template, each, resource.type) for each in targets)
            if resource in attached:
                found += policy.value("PolicyDocument.Statement", [])
        return found


def as_list(value: object) -> list[Any]:
    """Return a list; a policy may have a single value in its place."""
    return value if isinstance(value, list) else [value]


def allows(statements: Iterable[Statement], service: str, action: str) -> bool:
    """Return whether one of the statements allows an action to a service."""
    return any(
        statement.get("Effect") == "Allow"
        and service in as_list(_principal(statement).get("Service"))
        and covers(statement, action)
        for statement in statements
    )


def denies_plain_connections(statements: Iterable[Statement]) -> bool:
    """Return whether one of the statements denies all requests without TLS."""
    return any(
        statement.get("Effect") == "Deny"
        and "*" in as_list(_principal(statement).get("AWS"))
        and str(_secure_transport(statement)).lower() == "false"
        for statement in statements
    )


def covers(statement: Statement, action: str) -> bool:
    """Return whether a statement applies to an action, which it may name by a pattern."""
    patterns = as_list(statement.get("Action", []))
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _secure_transport(statement: Statement) -> object:
    return statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")


def _principal(statement: Statement) -> Mapping[str, Any]:
    principal = statement.get("Principal", {})
    return {"AWS": "*"} if principal == "*" else principal


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the assembly."""

    resource: Resource

    @property
    def is_processor(self) -> bool:
        """Whether the function runs our runtime: it sends messages or records delivery events."""
        handler = self.resource.value("Handler")
        if handler == RECEIVER_HANDLER or self.is_scheduled:
            return False
        return handler in {HANDLER, EVENTS_HANDLER} or Variable.CHANNEL in self.variables

    @property
    def is_scheduler(self) -> bool:
        """Whether the function is the scheduled job."""
        return bool(self.resource.value("Handler") == SCHEDULER_HANDLER)

    @property
    def is_scheduled(self) -> bool:
        """Whether a schedule invokes the function: the scheduled job or the vendor check."""
        return self.is_scheduler or self.resource.value("Handler") == VENDOR_CHECK_HANDLER

    @property
    def is_events_worker(self) -> bool:
        """Whether the function records delivery events."""
        return EVENTS_WORKER in str(self.resource.value("FunctionName", ""))

    @property
    def sends(self) -> bool:
        """Whether the function sends messages; an events worker only records their status."""
        return self.settings is not None and not self.is_events_worker

    @property
    def known_variables(self) -> frozenset[str]:
        """The environment variables that the runtime and the channel's sender read."""
        own = self.resource.body.get("Metadata", {}).get(METADATA, {})
        return KNOWN_VARIABLES | frozenset(own.get(CHANNEL_VARIABLES, ()))

    @property
    def required_variables(self) -> frozenset[str]:
        """Those without which it does not start; an events worker may have no secrets to read."""
        optional = {Variable.SECRET_PREFIXES} if self.is_events_worker else set()
        return REQUIRED_VARIABLES - optional

    @property
    def timeout(self) -> int:
        """Its timeout in seconds; Lambda's default is 3."""
        return self.resource.integer("Timeout", 3) or 0

    @cached_property
    def variables(self) -> dict[str, str]:
        """Its environment variables."""
        given = self.resource.value(VARIABLES, {})
        return {
            name: DEPLOYED if isinstance(value, Mapping | list) else str(value)
            for name, value in given.items()
        }

    @property
    def settings(self) -> Settings | None:
        """The runtime's settings; None if it rejects the variables, or for another runtime."""
        read = None if self.settings_error or not self.is_processor else self._read()
        return read if isinstance(read, Settings) else None

    @cached_property
    def settings_error(self) -> str:
        """The runtime's error about the variables that are set; empty: there is none."""
        try:
            self._read()
        except ConfigurationError as error:
            return str(error)
        return ""

    def _read(self) -> Settings | SchedulerSettings | VendorCheckSettings:
        if self.is_scheduled:
            kind = SchedulerSettings if self.is_scheduler else VendorCheckSettings
            return kind.from_environment(self.variables)
        required = {str(name): DEPLOYED for name in REQUIRED_VARIABLES}
        return Settings.from_environment(required | self.variables)


@dataclass(frozen=True, eq=False)
class Consumer:
    """An event source mapping with its queue and its function."""

    mapping: Resource
    function: Function
    queue: Resource
    dead_letter_queue: Resource | None

    @property
    def visibility_timeout(self) -> int:
        """The queue's visibility timeout in seconds; by default 30."""
        return self.queue.integer("VisibilityTimeout", 30) or 0

    @property
    def max_receive_count(self) -> int | None:
        """Deliveries after which a message moves to the dead-letter queue; None: unlimited."""
        return self.queue.integer("RedrivePolicy.maxReceiveCount")

    @property
    def batch_size(self) -> int:
        """Maximum number of messages of an invocation; by default 10."""
        return self.mapping.integer("BatchSize", 10) or 0

    @property
    def maximum_concurrency(self) -> int | None:
        """Maximum number of concurrent invocations; None: as many as the account allows."""
        return self.mapping.integer("ScalingConfig.MaximumConcurrency")


def processor_functions(assembly: Assembly) -> Iterator[Function]:
    """Yield the checked functions that run our runtime."""
    found = (Function(resource) for resource in assembly.resources(FUNCTION))
    return (function for function in found if function.is_processor)


def scheduled_functions(assembly: Assembly) -> Iterator[Function]:
    """Yield the checked scheduled jobs and vendor checks."""
    found = (Function(resource) for resource in assembly.resources(FUNCTION))
    return (function for function in found if function.is_scheduled)


def consumers(assembly: Assembly) -> Iterator[Consumer]:
    """Yield the checked mappings whose queue and function are in the assembly."""
    for mapping in assembly.resources(MAPPING):
        template = mapping.template
        queue = assembly.resolve(template, mapping.value("EventSourceArn"), QUEUE)
        function = assembly.resolve(template, mapping.value("FunctionName"), FUNCTION)
        if queue and function:
            target = queue.value("RedrivePolicy.deadLetterTargetArn")
            dead_letter_queue = assembly.resolve(queue.template, target, QUEUE)
            yield Consumer(mapping, Function(function), queue, dead_letter_queue)


def retention(queue: Resource) -> int:
    """Return a queue's retention in seconds; by default 4 days."""
    return queue.integer("MessageRetentionPeriod", 345_600) or 0
