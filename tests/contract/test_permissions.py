"""Permissions of the function, operators and routers: exactly what their API calls require."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import permutations, product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lambda_src import index, receiver, scheduler, vendor_check
from lambda_src.core import OpenWork, RecordKey
from lambda_src.services.dynamodb.updates import open_values
from local.fakes import Match
from stacks.channels import CHANNELS
from tests.alarms.situations import SITUATIONS
from tests.contract.conftest import runtime_clients
from tests.infra.synthesis import DELIVERY, STACKS, Synthesized, synthesize
from tests.ops.conftest import SharedSession, operator  # noqa: F401 - a fixture
from tests.ops.conversation_states import DRAFT
from tests.ops.operator_channel import ALIAS, OperatorChannel, to
from tests.support.callbacks import Callbacks
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    CONVERSATION,
    OPENAI_SECRET,
    RECIPIENT,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
    failing_operation,
    openai_config,
)

KINDS = re.compile(r"^arn:.*?:\d+:(secret:|stack/|table/|log-group:|key/)?")
"""What precedes a resource's name in its ARN."""
RENAMED = {
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "SendMessageBatch": "SendMessage",
}
"""API calls whose permission has another name."""
TARGETS = "QueueUrl TableName SecretId StackName Qualifier FunctionName Name"
"""Parameters that name the resource of a call."""
ALL_RESOURCES = "*"
ROLE = "AWS::IAM::Role"

Call = tuple[str, str]
"""An action, and the name of its resource."""

STACK, TABLE = "ai-multi-comms-whatsapp-dev", "conversations-dev"
QUEUE, DEAD_LETTERS = "ai-multi-comms-whatsapp-queue-dev", "ai-multi-comms-whatsapp-dlq-dev"
OPERATOR, ROUTER = "ai-multi-comms-whatsapp-operator-dev", "ai-multi-comms-whatsapp-router-dev"
LOG = "/aws/lambda/whatsapp-channel-processor-dev"
VENDOR_CHECK_LOG = "/aws/lambda/whatsapp-vendor-check-dev"
KEY = "EncryptionKey3A692D6E"
FUNCTION_ROLE = "ProcessorRole00D2607C"
RECEIVER_ROLE = "DeliveryEventsReceiverRole3CF594AE"
WORKER_ROLE = "DeliveryEventsWorkerRole6E788FAE"
SCHEDULER_ROLE = "ScheduledJobRole31C53E45"
VENDOR_CHECK_ROLE = "VendorCheckRole2C7F4ADD"
INDEX = f"{TABLE}/index/open-work"
EVENTS = "ai-multi-comms-whatsapp-events-queue-dev"
EVENTS_DEAD_LETTERS = "ai-multi-comms-whatsapp-events-dlq-dev"
HAND_OFF = "ai-multi-comms-handoff-queue-dev"
NUMBER = "+447700900321"
REASON = "--reason request-17 --yes"
COMMANDS = (
    *("status", "conversation list", "conversation show lost", "dlq list --messages"),
    *("dlq show letter", f"dlq drop --cause body_not_json {REASON}", "dlq redrive --yes"),
    *("conversation undelivered", "dlq list --events", "dlq show lookup --events"),
    *(f"dlq drop --events --cause unreadable {REASON}", "dlq redrive --events --yes"),
    *("unknown list", f"unknown resolve lost --not-sent {REASON}", "send {file} --yes"),
    *("approvals list", f"approvals approve held --draft {DRAFT} --yes", "secrets check"),
)
"""Commands on a dead-letter message, an unknown send, a held draft and the file of a context."""
LATER_COMMANDS = (
    *(f"secrets check {OPENAI_SECRET}", f"secrets check {OPENAI_SECRET}/second"),
    "assistants check --records",
    *("assistants check", f"suppression add {NUMBER} {REASON}", "suppression list"),
    *(f"suppression list --recipient {NUMBER}", f"suppression lift {NUMBER} {REASON}"),
)
"""Commands after all secrets were set."""

BY_AWS = {
    *(("sqs:ReceiveMessage", QUEUE), ("sqs:DeleteMessage", QUEUE)),
    *(("sqs:GetQueueAttributes", QUEUE), ("logs:CreateLogStream", LOG), ("logs:PutLogEvents", LOG)),
}
"""Permissions of the function's role that the event source mapping and Lambda use."""
FOR_DRAFTS = {("sqs:SendMessage", HAND_OFF)}
"""Permissions of the function's role that the delivery of a held draft uses."""

FOR_TABLE = (
    *("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
    *("ReEncryptFrom", "ReEncryptTo"),
)
WITH_KEY = {("kms:Decrypt", f"{KEY} through sqs")} | {
    (f"kms:{action}", f"{KEY} through dynamodb") for action in FOR_TABLE
}
"""Permissions that SQS and DynamoDB require of the function's role with the environment's key."""
SEND_WITH_KEY = {
    (f"kms:{action}", f"{KEY} through sqs") for action in ("Decrypt", "GenerateDataKey")
}
"""Permissions that SQS requires of a role that sends."""

WITHOUT_PERMISSION = {"sts:GetCallerIdentity"}
ON_ALL_RESOURCES = {
    *("cloudformation:DescribeStacks", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"),
    *("lambda:ListEventSourceMappings", "secretsmanager:ListSecrets"),
}
"""Actions that IAM can allow on all resources only, or that the tool needs on all of them."""


class Permission(NamedTuple):
    """An allowed action of a role (its logical id), a managed policy or a service on a resource.

    The resource is a name, a pattern of secrets' names, or the key and through which service.
    """

    who: str
    action: str
    resource: str


def _of_roles(synthesized: Synthesized) -> set[Permission]:
    return {
        permission
        for policy in synthesized.resolved("AWS::IAM::Policy")
        for role in policy.properties["Roles"]
        for permission in _of_policy_document(role, policy.properties["PolicyDocument"])
        if policy.stack in STACKS
    }


def _of_policy(synthesized: Synthesized, name: str) -> set[Permission]:
    policies = [each.properties for each in synthesized.resolved("AWS::IAM::ManagedPolicy")]
    (policy,) = [each for each in policies if each["ManagedPolicyName"] == name]
    return set(_of_policy_document(name, policy["PolicyDocument"]))


def _of_policy_document(who: str, document: Mapping[str, Any]) -> Iterator[Permission]:
    for statement in document["Statement"]:
        assert "Allow" == statement["Effect"]
        via = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
        through = f" through {via.split('.')[0]}" if via else ""
        for action, arn in product(_listed(statement["Action"]), _listed(statement["Resource"])):
            yield Permission(who, action, KINDS.sub("", arn) + through)


def _of_services(synthesized: Synthesized, kind: str, document: str) -> set[tuple[str, str]]:
    """Return the actions that policies of a type, in that property, allow to services."""
    return {
        (service, action)
        for resource in synthesized.resolved(kind)
        for statement in resource.properties.get(document, {"Statement": ()})["Statement"]
        if statement["Effect"] == "Allow"
        for service in _listed(statement["Principal"].get("Service", []))
        for action in _listed(statement["Action"])
    }


def _record_calls(events: Any, calls: set[Call]) -> None:
    """Add the calls of a client, or of all clients that a session creates from now on."""

    def record(params: Mapping[str, Any], model: Any, **_: object) -> None:
        calls.update(_required(model.service_model.service_name, model.name, params))

    events.register("provide-client-params.*", record)


def _with_deployed_names(
    calls: Iterable[Call], names: Mapping[str, str], secrets: Iterable[str]
) -> set[Call]:
    """Replace a test's names by the template's, and secrets by the pattern that each matches."""
    return {(action, names.get(target) or _pattern(target, secrets)) for action, target in calls}


def _required(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    for part in params.get("TransactItems", ()):
        for kind, write in part.items():
            # A transaction has no permission of its own; each of its parts needs one.
            yield f"{service}:{kind}Item", write["TableName"]
    if "IndexName" in params:
        yield f"{service}:{operation}", f"{params['TableName']}/index/{params['IndexName']}"
    elif "TransactItems" not in params:
        target = next((str(params[name]) for name in TARGETS.split() if name in params), "")
        name = target.rpartition("/")[2] if "QueueUrl" in params else target
        yield f"{service}:{RENAMED.get(operation, operation)}", name


def _pattern(secret: str, patterns: Iterable[str]) -> str:
    (pattern,) = (each for each in patterns if fnmatchcase(f"{secret}-AbCdEf", each))
    return pattern


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_function_has_the_permissions_that_it_uses(channel: Channel, dev: Synthesized) -> None:
    """Over all situations, the function's calls and its permissions are the same.

    With the environment's own key it may also use the key, through queue and table only.
    """
    calls: set[Call] = set()
    for client in runtime_clients(channel):
        _record_calls(client.meta.events, calls)
    for situation in SITUATIONS.values():
        situation.run(channel)
    second = f"{OPENAI_SECRET}/second"
    channel.secretsmanager.create_secret(Name=second, SecretString=f'{{"ai_api_key": "{API_KEY}"}}')
    change = lambda body: openai_config(body).update(api_key_reference=second)  # noqa: E731
    channel.deliver(context(change, conversation_id="second-key"))
    names = {channel.queue_url.rpartition("/")[2]: QUEUE, channel.table: TABLE}
    own = [p for p in _of_roles(dev) if p.who == FUNCTION_ROLE]
    secrets = [p.resource for p in own if p.action.startswith("secretsmanager:")]
    used = BY_AWS | FOR_DRAFTS | _with_deployed_names(calls, names, secrets)
    with_key = synthesize(customer_managed_key=True)
    for template, expected in ((dev, used), (with_key, used | WITH_KEY | SEND_WITH_KEY)):
        assert expected == {
            (each.action, each.resource)
            for each in _of_roles(template)
            if each.who == FUNCTION_ROLE
        }


def test_delivery_functions_have_the_permissions_that_they_use(callbacks: Callbacks) -> None:
    """The receiver sends to the events queue; the worker reads, records, suppresses and retries.

    The scheduled job queries the index, sends to both queues, and changes approved records.
    """
    roles = (RECEIVER_ROLE, WORKER_ROLE, SCHEDULER_ROLE)
    calls: dict[str, set[Call]] = {role: set() for role in roles}
    _record_calls(receiver.receiver().sqs.meta.events, calls[RECEIVER_ROLE])
    worker = callbacks.worker()
    parts: list[Any] = [worker.recorder.store, worker.queue, worker.recorder.secrets]
    for part in parts:
        _record_calls(part._client.meta.events, calls[WORKER_ROLE])
    job: Any = scheduler.scheduler()
    _, approved, lookups = job.parts
    for part in (approved.records, approved.queue, lookups.queue):
        _record_calls(part._client.meta.events, calls[SCHEDULER_ROLE])
    callbacks.channel.openai.fail_next("rate_limit_exceeded")
    callbacks.channel.deliver(context(conversation_id="approved"))
    marks = open_values("whatsapp", OpenWork.APPROVED, RecordKey(RECIPIENT, "approved"), 1)
    fields = {name.removeprefix(":"): value for name, value in marks.items()}
    callbacks.channel.set_fields("approved", **fields)
    sid = callbacks.send()
    callbacks.channel.set_fields(CONVERSATION, open_since=1)
    callbacks.schedule()
    assert 0 == callbacks.work()
    callbacks.report("delivered", sid)
    callbacks.report("undelivered", sid, ErrorCode="63033")
    callbacks.post(callbacks.request("read", sid))
    with failing_operation(callbacks.channel, "GetItem", "AccessDeniedException"):
        assert 1 == callbacks.work()
    webhook = synthesize(**DELIVERY)
    table = callbacks.channel.table
    names = {"events": EVENTS, table: TABLE, f"{table}/index/open-work": INDEX}
    names[callbacks.channel.queue_url.rpartition("/")[2]] = QUEUE
    worker_permissions = [p for p in _of_roles(webhook) if p.who == WORKER_ROLE]
    secrets = [p.resource for p in worker_permissions if p.action.startswith("secretsmanager:")]
    by_aws = {
        WORKER_ROLE: {
            *(("sqs:ReceiveMessage", EVENTS), ("sqs:DeleteMessage", EVENTS)),
            ("sqs:GetQueueAttributes", EVENTS),
            *_log_writes("/aws/lambda/whatsapp-events-worker-dev"),
        },
        RECEIVER_ROLE: _log_writes("/aws/lambda/whatsapp-receiver-dev"),
        SCHEDULER_ROLE: _log_writes("/aws/lambda/whatsapp-scheduler-dev"),
    }
    of_key = {WORKER_ROLE: WITH_KEY, RECEIVER_ROLE: SEND_WITH_KEY}
    of_key[SCHEDULER_ROLE] = SEND_WITH_KEY | WITH_KEY
    with_key = synthesize(customer_managed_key=True, **DELIVERY)
    for role, used in calls.items():
        expected = by_aws[role] | _with_deployed_names(used, names, secrets)
        for template, and_key in ((webhook, set()), (with_key, of_key[role])):
            allowed = {(p.action, p.resource) for p in _of_roles(template) if p.who == role}
            assert expected | and_key == allowed, role


def _log_writes(log_group: str) -> set[Call]:
    return {(f"logs:{action}", log_group) for action in ("CreateLogStream", "PutLogEvents")}


def test_vendor_check_has_the_permissions_that_it_uses(channel: Channel, dev: Synthesized) -> None:
    """It lists and reads secrets, and may use no table, queue or key."""
    vendor_check.vendor_check.cache_clear()
    job: Any = vendor_check.vendor_check()
    calls: set[Call] = set()
    for part in job.parts:
        _record_calls(part.secrets._client.meta.events, calls)
    second = f"{OPENAI_SECRET}/second"
    channel.secretsmanager.create_secret(Name=second, SecretString="{}")
    channel.openai.fail_next("model_not_found", match=Match(paths=("/v1/models/*",)))
    job.run(60_000)
    vendor_check.vendor_check.cache_clear()
    permissions = [p for p in _of_roles(dev) if p.who == VENDOR_CHECK_ROLE]
    secrets = [p.resource for p in permissions if "Get" in p.action]
    listed = {("secretsmanager:ListSecrets", "")}
    assert listed < calls
    used = _with_deployed_names(calls - listed, {}, secrets)
    used |= {("secretsmanager:ListSecrets", "*"), *_log_writes(VENDOR_CHECK_LOG)}
    for template in (dev, synthesize(customer_managed_key=True)):
        allowed = {
            (p.action, p.resource) for p in _of_roles(template) if p.who == VENDOR_CHECK_ROLE
        }
        assert used == allowed


def test_only_its_schedule_invokes_a_job() -> None:
    """EventBridge may invoke each of two functions, for its own rule."""
    found = {}
    for resource in synthesize().resources("WhatsApp", "AWS::Lambda::Permission"):
        permission = resource["Properties"]
        assert ("events.amazonaws.com", "lambda:InvokeFunction") == (
            permission["Principal"],
            permission["Action"],
        )
        rule, function = permission["SourceArn"], permission["FunctionName"]
        found[rule["Fn::GetAtt"][0]] = function["Fn::GetAtt"][0]
    parts = {re.split("Schedule[0-9A-F]{8}", rule)[0]: function for rule, function in found.items()}
    assert {"ScheduledJob", "VendorCheck"} == set(parts)
    assert all(function.startswith(f"{part}Function") for part, function in parts.items())


def test_there_is_no_other_role(dev: Synthesized) -> None:
    """Only the function and the two jobs have a role, and no managed policy adds to it."""
    resources = [each for stack in STACKS for each in dev.template(stack)["Resources"].items()]
    roles = {name: each["Properties"] for name, each in resources if each["Type"] == ROLE}
    assert {FUNCTION_ROLE, SCHEDULER_ROLE, VENDOR_CHECK_ROLE} == set(roles)
    assert not any({"ManagedPolicyArns", "Policies"} & set(role) for role in roles.values())


def test_permissions_of_services() -> None:
    """Alarms may publish to the topic; with a key, they and the log may use the key."""
    with_key = synthesize(customer_managed_key=True)
    alarms, logs = "cloudwatch.amazonaws.com", "logs.eu-west-1.amazonaws.com"
    topics = _of_services(with_key, "AWS::SNS::TopicPolicy", "PolicyDocument")
    assert {(alarms, "sns:Publish")} == topics
    users = [service for service, _ in _of_services(with_key, "AWS::KMS::Key", "KeyPolicy")]
    assert sorted([*2 * [alarms], *5 * [logs]]) == sorted(users)
    assert not _of_services(with_key, "AWS::SQS::QueuePolicy", "PolicyDocument")


@pytest.fixture
def session(account: None) -> SharedSession:  # noqa: ARG001 - where the clients are
    """Return the tool's session, which has made no client yet."""
    return SharedSession()


def test_operators_have_the_permissions_that_the_tool_uses(
    operator: OperatorChannel,  # noqa: F811 - a fixture
    session: SharedSession,
    tmp_path: Path,
) -> None:
    """Over every command, the tool's calls and the operator policy are the same."""
    index.batch_handler()  # its clients are created before the calls are recorded
    calls: set[Call] = set()
    _record_calls(session.get_component("event_emitter"), calls)
    for command, answer in _commands(operator, tmp_path / "context.json"):
        result = operator.run(*command.split(), answer=answer)
        assert 0 == result.exit_code, (command, result.output)
    names = {"queue": QUEUE, "dead-letters": DEAD_LETTERS, operator.channel.table: TABLE}
    names[f"{operator.channel.table}/index/open-work"] = INDEX
    names |= {STACK: f"{STACK}/*", ALIAS: ALIAS}
    names |= {"events": EVENTS, "events-dead-letters": EVENTS_DEAD_LETTERS, "hand-off": HAND_OFF}
    allowed = _of_policy(synthesize(**DELIVERY), OPERATOR)
    secrets = {p.resource for p in allowed if "secret" in p.action}
    on_one = {call for call in calls if call[0] not in ON_ALL_RESOURCES | WITHOUT_PERMISSION}
    on_all = {(action, ALL_RESOURCES) for action, _ in calls if action in ON_ALL_RESOURCES}
    called = _with_deployed_names(on_one, names, secrets - {ALL_RESOURCES}) | on_all
    assert called == {(p.action, p.resource) for p in allowed}


def _commands(
    operator: OperatorChannel,  # noqa: F811 - a fixture
    file: Path,
) -> Iterator[tuple[str, str | None]]:
    """Yield every command with its input, after its messages and records were created."""
    body = context(conversation_id="letter")
    file.write_text(body)
    operator.dead_letter(body, "no JSON")
    lookup = {"primary_channel": NUMBER, "conversation_id": "lookup"}
    operator.dead_letter("no JSON", json.dumps({"lookup": lookup}), events=True)
    operator.lose_send()
    operator.age_send("lost")
    operator.conversation("held")
    yield from ((command.format(file=file), None) for command in COMMANDS)
    for secret, value in (
        *2 * [(f"{TWILIO_SECRET}-2", {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN})],
        *(
            (name, {"ai_api_key": API_KEY})
            for name in (OPENAI_SECRET, *2 * [f"{OPENAI_SECRET}/second"])
        ),
    ):
        yield f"secrets set {secret} --new --yes", json.dumps(value)
    yield from ((command, None) for command in LATER_COMMANDS)
    to_erase = context(to(NUMBER), conversation_id="to be erased")
    operator.channel.deliver(to_erase)
    operator.enqueue(to_erase)
    operator.hand_off(to_erase)
    yield f"erase --recipient {NUMBER} {REASON}", None


def test_routers_may_only_send(dev: Synthesized) -> None:
    """A router has one action on one queue; with a key, it may use the key through SQS only."""
    with_key = synthesize(customer_managed_key=True)
    send = Permission(ROUTER, "sqs:SendMessage", QUEUE)
    key = f"{KEY} through sqs"
    assert {send} == _of_policy(dev, ROUTER)
    of_key = {Permission(ROUTER, f"kms:{action}", key) for action in ("Decrypt", "GenerateDataKey")}
    assert {send} | of_key == _of_policy(with_key, ROUTER)


def test_operators_use_a_key_through_its_services_only() -> None:
    """With the environment's key, an operator may use it through queues and table."""
    allowed = _of_policy(synthesize(customer_managed_key=True), OPERATOR)
    of_key = {p.resource for p in allowed if p.action.startswith("kms:")}
    assert {f"{KEY} through sqs", f"{KEY} through dynamodb"} == of_key


def test_policies_are_per_channel(dev: Synthesized) -> None:
    """No policy of one channel allows anything on another's queues or secrets."""
    pairs = permutations((channel.name for channel in CHANNELS), 2)
    for (channel, other), role in product(pairs, ("operator", "router")):
        allowed = _of_policy(dev, f"ai-multi-comms-{channel}-{role}-dev")
        assert not [permission for permission in allowed if other in permission.resource]
