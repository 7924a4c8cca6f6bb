"""Check of the roles of a channel's functions: each has exactly the privileges listed here."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple, Self

from conformance.subject import Subject
from lambda_src.core.contract import OPEN_WORK_INDEX, Variable
from stacks.grants import readable_secrets

LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
CONSUME = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)
LEDGER = ("ConditionCheckItem", "PutItem", "Query", "UpdateItem")
RECORD_DELIVERY = QUEUE_APPROVED = ("GetItem", "UpdateItem")
SEND = "sqs:SendMessage"
READ_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - an action's name
TABLE_KEY = (
    *("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
    *("ReEncryptFrom", "ReEncryptTo"),
)
SEND_KEY = ("Decrypt", "GenerateDataKey")
TRUST = {
    "Action": "sts:AssumeRole",
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
}
FUNCTION = "AWS::Lambda::Function"
MANIFEST = "manifest.json"
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")
ARNS = {
    "AWS::SQS::Queue": ("sqs", "QueueName", ""),
    "AWS::Logs::LogGroup": ("logs", "LogGroupName", "log-group:"),
    "AWS::DynamoDB::Table": ("dynamodb", "TableName", "table/"),
    "AWS::KMS::Key": ("kms", "", "key/"),
}
"""By type: the service, the property with the name, and what precedes the name in an ARN."""
_PARTITION = re.compile(r"^arn:aws(-[a-z]+)*:")


class Grant(NamedTuple):
    """One action that a statement allows on one resource, perhaps on a condition."""

    action: str
    resource: str
    condition: str = ""

    def __str__(self) -> str:
        """Return the grant as a problem's text names it."""
        return f"{self.action} on {self.resource}" + (self.condition and f" if {self.condition}")


def check_privileges(subject: Subject) -> Iterator[str]:
    """Check that each function's role has its privileges and no others, from any source."""
    if not (subject.template.parent / MANIFEST).is_file():
        yield f"template: expected a file of a cloud assembly, found no {MANIFEST} beside it"
        return
    assembly = _Assembly.of(subject)
    for name in subject.functions:
        function = assembly.named(FUNCTION, "FunctionName", name)
        match assembly.resources.get(function, {}).get("Properties", {}).get("Role"):
            case {"Fn::GetAtt": [str() as role, "Arn"]} if role in assembly.resources:
                found = _check_role(subject, assembly, role, function, name)
                yield from (f"the role of {name} {problem}" for problem in found)
            case _:
                yield f"the role of {name} is not in the template: its privileges are unknown"


@dataclass(frozen=True)
class _Assembly:
    """The templates of a cloud assembly by the names of their stacks, and the channel's stack."""

    templates: Mapping[str, Mapping[str, Any]]
    stack: str
    pseudo_parameters: Mapping[str, str]

    @classmethod
    def of(cls, subject: Subject) -> Self:
        directory, environment = subject.template.parent, subject.names.environment
        manifest = json.loads((directory / MANIFEST).read_text("utf-8"))
        stacks = {
            each["properties"].get("stackName", id_): each["properties"]["templateFile"]
            for id_, each in manifest["artifacts"].items()
            if each["type"] == "aws:cloudformation:stack"
        }
        return cls(
            {
                name: json.loads((directory / file).read_text("utf-8"))
                for name, file in stacks.items()
            },
            next(name for name, file in stacks.items() if file == subject.template.name),
            {
                "AWS::Partition": "aws",
                "AWS::URLSuffix": "amazonaws.com",
                "AWS::Region": environment.region or "${AWS::Region}",
                "AWS::AccountId": environment.account or "${AWS::AccountId}",
            },
        )

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The resources of the channel's stack."""
        found: Mapping[str, Mapping[str, Any]] = self.templates[self.stack]["Resources"]
        return found

    def named(self, kind: str, key: str, name: str) -> str:
        """Return the logical id of the resource of a name; empty if there is none."""
        ids = self.resources.items()
        return next(
            (id_ for id_, r in ids if r["Type"] == kind and r["Properties"].get(key) == name), ""
        )

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of the channel's account and region."""
        region, account = (self.pseudo_parameters[f"AWS::{p}"] for p in ("Region", "AccountId"))
        return f"arn:aws:{service}:{region}:{account}:{resource}"

    def resolve(self, value: Any, stack: str) -> Any:
        """Return a value with its references resolved; one that cannot be is returned as JSON."""
        match value:
            case str():
                return _PARTITION.sub("arn:aws:", value)
            case list():
                return [self.resolve(part, stack) for part in value]
            case dict() if not any(key.startswith(("Ref", "Fn::")) for key in value):
                return {key: self.resolve(part, stack) for key, part in value.items()}
        return next(self._referred(value, stack), json.dumps(value, sort_keys=True))

    def _referred(self, value: Any, stack: str) -> Iterator[str]:
        match value:
            case {"Ref": str() as name} if name in self.pseudo_parameters:
                yield self.pseudo_parameters[name]
            case {"Ref": str() as name} if name in self.templates[stack]["Resources"]:
                yield self._name(name, stack)
            case {"Fn::GetAtt": [str() as name, "Arn"]}:
                yield self._arn(name, stack)
            case {"Fn::Join": [str() as separator, list() as parts]}:
                yield separator.join(str(self.resolve(part, stack)) for part in parts)
            case {"Fn::GetStackOutput": {"StackName": str() as other, "OutputName": str() as name}}:
                outputs = self.templates.get(other, {}).get("Outputs", {})
                if name in outputs:
                    yield self.resolve(outputs[name]["Value"], other)
            case {"Fn::ImportValue": str() as name}:
                yield from self._exported(name)

    def _exported(self, name: str) -> Iterator[str]:
        for stack, template in self.templates.items():
            for output in template.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == name:
                    yield self.resolve(output["Value"], stack)

    def _name(self, logical_id: str, stack: str) -> str:
        resource = self.templates[stack]["Resources"][logical_id]
        _, key, _ = ARNS.get(resource["Type"], ("", "", ""))
        return str(self.resolve(resource.get("Properties", {}).get(key, logical_id), stack))

    def _arn(self, logical_id: str, stack: str) -> str:
        kind = self.templates[stack]["Resources"][logical_id]["Type"]
        service, _, before = ARNS.get(kind, (kind, "", ""))
        return self.arn(service, f"{before}{self._name(logical_id, stack)}")


def _check_role(
    subject: Subject, assembly: _Assembly, role: str, function: str, name: str
) -> Iterator[str]:
    properties = assembly.resources[role].get("Properties", {})
    if properties.get("AssumeRolePolicyDocument", {}).get("Statement") != [TRUST]:
        yield "can be assumed by others than Lambda"
    for policy in _listed(properties.get("ManagedPolicyArns", [])):
        arn = assembly.resolve(policy, assembly.stack)
        yield f"has the managed policy {arn}, which it does not need"
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    for id_, resource in _referring(assembly, role, properties.get("RoleName")):
        if resource.get("Type") in POLICIES:
            documents.append(resource["Properties"]["PolicyDocument"])
        elif id_ != function:
            yield f"is also referred to by {resource.get('Type', 'the output')} {id_}"
    statements = [each for document in documents for each in _listed(document["Statement"])]
    for statement in statements:
        if not _is_plain(statement):
            yield f"has a statement that does not list what it allows: {json.dumps(statement)}"
    found = set(_grants(assembly, filter(_is_plain, statements)))
    expected = set(_expected(subject, assembly, name))
    yield from (f"allows {grant}, which it does not need" for grant in sorted(found - expected))
    yield from (f"does not allow {grant}" for grant in sorted(expected - found))


def _referring(
    assembly: _Assembly, role: str, role_name: object
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the resources and outputs that refer to a role, in other stacks by its name."""
    for stack, template in assembly.templates.items():
        logical_id = role if stack == assembly.stack else ""
        parts = {**template["Resources"], **template.get("Outputs", {})}
        for id_, part in parts.items():
            content = part.get("Properties", part.get("Value"))
            if id_ != logical_id and _refers(content, logical_id, role_name):
                yield id_, part


def _refers(value: Any, logical_id: str, role_name: object) -> bool:
    match value:
        case {"Ref": str() as target} | {"Fn::GetAtt": [str() as target, *_]}:
            return target == logical_id
        case {"Fn::GetAtt": str() as target}:
            return target.partition(".")[0] == logical_id
        case dict():
            return any(_refers(part, logical_id, role_name) for part in value.values())
        case list():
            return any(_refers(part, logical_id, role_name) for part in value)
        case str():
            own_name = isinstance(role_name, str) and value == role_name
            return own_name or bool(logical_id and f"${{{logical_id}" in value)
    return False


def _is_plain(statement: Mapping[str, Any]) -> bool:
    return statement.get("Effect") == "Allow" and {"Action", "Resource"} == statement.keys() - {
        *("Effect", "Sid", "Condition")
    }


def _grants(assembly: _Assembly, statements: Iterable[Mapping[str, Any]]) -> Iterator[Grant]:
    for statement in statements:
        actions, resources = (
            [str(each) for each in _listed(assembly.resolve(statement[key], assembly.stack))]
            for key in ("Action", "Resource")
        )
        condition = assembly.resolve(statement.get("Condition", {}), assembly.stack)
        text = json.dumps(condition, sort_keys=True) if condition else ""
        for action, resource in product(actions, resources):
            yield Grant(action, resource, text)


def _expected(subject: Subject, assembly: _Assembly, name: str) -> Iterator[Grant]:
    """Yield the complete privileges of a function."""
    names = subject.names
    has_credentials = names.channel.credentials_form is not None
    credentials = readable_secrets(names.credentials_prefix) if has_credentials else ()
    queue, events = assembly.arn("sqs", names.queue), assembly.arn("sqs", names.events.queue)
    variables = subject.function(name).get("Environment", {}).get("Variables", {})
    table = assembly.resolve(variables.get(Variable.CONVERSATIONS_TABLE, ""), assembly.stack)
    table = assembly.arn("dynamodb", f"table/{table}")
    yield from (Grant(each, assembly.arn("logs", f"log-group:/aws/lambda/{name}")) for each in LOG)
    secrets: tuple[str, ...] = ()
    if name == names.receiver:
        yield from _queue_grants(subject, assembly, events, (SEND,), SEND_KEY)
    elif name == names.scheduler:
        yield from _queue_grants(subject, assembly, queue, (SEND,), SEND_KEY)
        if names.channel.looks_up(names.environment):
            actions = ("sqs:GetQueueAttributes", SEND)
            yield from _queue_grants(subject, assembly, events, actions, SEND_KEY)
        yield from _table_grants(subject, assembly, f"{table}/index/{OPEN_WORK_INDEX}", ("Query",))
        yield from _table_grants(subject, assembly, table, QUEUE_APPROVED)
    elif name == names.vendor_check:
        secrets = (*credentials, *readable_secrets(names.openai_secret))
        yield Grant("secretsmanager:ListSecrets", "*")
    elif name == names.events.function:
        secrets = credentials
        yield from _queue_grants(subject, assembly, events, CONSUME, ("Decrypt",))
        yield from _table_grants(subject, assembly, table, RECORD_DELIVERY)
    else:
        secrets = (*credentials, *readable_secrets(names.openai_secret))
        hand_off = assembly.arn("sqs", names.hand_off_queue)
        yield from _queue_grants(subject, assembly, queue, CONSUME, ("Decrypt",))
        yield from _queue_grants(subject, assembly, hand_off, (SEND,), SEND_KEY)
        yield from _table_grants(subject, assembly, table, LEDGER)
        yield from _sender_grants(subject, assembly)
    for secret in secrets:
        yield Grant(READ_SECRET, assembly.arn("secretsmanager", f"secret:{secret}"))


def _sender_grants(subject: Subject, assembly: _Assembly) -> Iterator[Grant]:
    """Yield the privileges of the channel's entry."""
    parameters = assembly.pseudo_parameters
    for privilege in subject.names.channel.sender_privileges:
        resources = [
            subject.names.fill(
                arn,
                partition=parameters["AWS::Partition"],
                region=parameters["AWS::Region"],
                account=parameters["AWS::AccountId"],
            )
            for arn in privilege.resources
        ]
        statement = {"Action": list(privilege.actions), "Resource": resources}
        condition = {operator: dict(keys) for operator, keys in privilege.conditions.items()}
        yield from _grants(assembly, [statement | {"Condition": condition}])


def _queue_grants(
    subject: Subject, assembly: _Assembly, queue: str, actions: Iterable[str], of_key: Iterable[str]
) -> Iterator[Grant]:
    yield from (Grant(action, queue) for action in actions)
    yield from _key_grants(subject, assembly, "sqs", of_key)


def _table_grants(
    subject: Subject, assembly: _Assembly, table: str, actions: Iterable[str]
) -> Iterator[Grant]:
    yield from (Grant(f"dynamodb:{action}", table) for action in actions)
    yield from _key_grants(subject, assembly, "dynamodb", TABLE_KEY)


def _key_grants(
    subject: Subject, assembly: _Assembly, service: str, actions: Iterable[str]
) -> Iterator[Grant]:
    """Yield the use of the environment's key, which encrypts queue and table; it may have none."""
    queue = assembly.named("AWS::SQS::Queue", "QueueName", subject.names.queue)
    key = assembly.resources.get(queue, {}).get("Properties", {}).get("KmsMasterKeyId")
    region = assembly.pseudo_parameters["AWS::Region"]
    via = json.dumps({"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}})
    if key:
        arn = assembly.resolve(key, assembly.stack)
        yield from (Grant(f"kms:{action}", arn, via) for action in actions)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
