"""A function's environment variables and secrets, against what the runtime reads and its role."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations

from lambda_src.core.contract import (
    EVENTS_HANDLER,
    EVENTS_QUEUE_URL,
    HANDLER,
    OPEN_WORK_INDEX,
    OPENAI_URL_PATTERN,
    RECEIVER_HANDLER,
    TWILIO_BASE_URL,
    Variable,
)
from stacks.grants import readable_secrets
from stacks.invariants.assembly import (
    DEPLOYED,
    FUNCTION,
    QUEUE,
    RULE,
    SUBSCRIPTION,
    TABLE,
    TOPIC,
    VARIABLES,
    Assembly,
    Function,
    Resource,
    Statement,
    UnresolvedValue,
    as_list,
    consumers,
    covers,
    processor_functions,
    retention,
    scheduled_functions,
)
from stacks.invariants.invariant import Finding, Severity, invariant

LOCAL_SERVERS = frozenset({"AWS_ENDPOINT_URL", TWILIO_BASE_URL})
"""Variables that redirect requests, and with them keys, to local servers."""

PREFIXES = f"{VARIABLES}.{Variable.SECRET_PREFIXES}"
CALLBACKS = f"{VARIABLES}.{Variable.CALLBACK_BASE_URL}"
CHANNEL_QUEUE = f"{VARIABLES}.{Variable.QUEUE_URL}"
HAND_OFF_QUEUE = f"{VARIABLES}.{Variable.HANDOFF_QUEUE_URL}"
EVENTS_QUEUE = f"{VARIABLES}.{EVENTS_QUEUE_URL}"
OPEN_WORK_TABLE = f"{VARIABLES}.{Variable.CONVERSATIONS_TABLE}"
ROLE = "AWS::IAM::Role"
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy")
SEND = "sqs:SendMessage"
HAND_OFF_SECONDS = 14 * 86_400
"""How long a copy on a hand-off queue is kept: the maximum of SQS."""
READ_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - an action's name


@invariant(
    "required-variables-are-set",
    severity=Severity.FATAL,
    holds="A function has every environment variable that the runtime requires.",
    remedy="Set the variable: the function does not start without it.",
)
def required_variables_are_set(assembly: Assembly) -> Iterator[Finding]:
    """The required variables are those without a default."""
    for function in processor_functions(assembly):
        for name in sorted(function.required_variables - function.variables.keys()):
            yield Finding(function.resource, f"{VARIABLES}.{name}", "is required and not set")


@invariant(
    "variables-are-read",
    holds="A function has no environment variable that the runtime does not read.",
    remedy="Remove the variable, or correct its name: its value has no effect.",
)
def variables_are_read(assembly: Assembly) -> Iterator[Finding]:
    """Another repository's handler may read more, but not the variables for local servers."""
    for function in processor_functions(assembly):
        is_ours = function.resource.value("Handler") in {HANDLER, EVENTS_HANDLER}
        unread = function.variables.keys() - function.known_variables
        for name in sorted(unread if is_ours else unread & LOCAL_SERVERS):
            yield Finding(function.resource, f"{VARIABLES}.{name}", "is not read by the runtime")


@invariant(
    "variables-are-valid",
    severity=Severity.FATAL,
    holds="The runtime accepts the values of the function's environment variables.",
    remedy="Correct the value: the function does not start with it.",
)
def variables_are_valid(assembly: Assembly) -> Iterator[Finding]:
    """The runtime's own settings read the values."""
    for function in (*processor_functions(assembly), *scheduled_functions(assembly)):
        if function.settings_error:
            problem = f"are rejected by the runtime: {function.settings_error}"
            yield Finding(function.resource, VARIABLES, problem)
        openai_url = function.variables.get(Variable.OPENAI_BASE_URL, "")
        if openai_url and not re.fullmatch(OPENAI_URL_PATTERN, openai_url):
            place = f"{VARIABLES}.{Variable.OPENAI_BASE_URL}"
            yield Finding(function.resource, place, "is not an address of OpenAI's")


@invariant(
    "heartbeat-beats-on-its-queue",
    severity=Severity.FATAL,
    holds="QUEUE_URL is the URL of the queue that feeds the function.",
    remedy="Set QUEUE_URL from the mapping's queue.",
)
def heartbeat_beats_on_its_queue(assembly: Assembly) -> Iterator[Finding]:
    """The heartbeat cannot extend the visibility timeout of another queue's messages."""
    for consumer in consumers(assembly):
        function, path = consumer.function.resource, f"{VARIABLES}.{Variable.QUEUE_URL}"
        url = function.value(path)
        if url is None or not consumer.function.is_processor:
            continue
        if assembly.resolve(function.template, url, QUEUE) is not consumer.queue:
            problem = f"is not the URL of {consumer.queue.logical_id}, which feeds the function"
            yield Finding(function, path, problem)


@invariant(
    "callbacks-are-received",
    holds=(
        "Where a function requests status callbacks, its stack has a receiver with the same"
        " CALLBACK_BASE_URL, and each receiver puts them on a queue that feeds a function."
    ),
    remedy="Create a `CallbackReceiver`, and give both functions `CallbackEndpoint.base_url`.",
)
def callbacks_are_received(assembly: Assembly) -> Iterator[Finding]:
    """A callback's signature covers its exact URL, so with another one it is never verified."""
    functions = list(assembly.resources(FUNCTION))
    receivers = [each for each in functions if each.value("Handler") == RECEIVER_HANDLER]
    for function in functions:
        own = [each.value(CALLBACKS) for each in receivers if each.template is function.template]
        if (url := function.value(CALLBACKS)) is not None and url not in own:
            yield Finding(function, CALLBACKS, "is not that of a receiver in its stack")
    fed = [consumer.queue for consumer in consumers(assembly)]
    for receiver in receivers:
        queue = assembly.resolve(receiver.template, receiver.value(EVENTS_QUEUE), QUEUE)
        if queue not in fed:
            yield Finding(receiver, EVENTS_QUEUE, "is not the URL of a queue that feeds a function")


@invariant(
    "vendor-events-are-authentic",
    severity=Severity.FATAL,
    holds=(
        "A queue that feeds our runtime takes messages of a service only from a topic"
        " of its own stack, as they were published, and the topic only from one resource."
    ),
    remedy="Use `VendorTopic` as it is, and let the vendor publish with `allow_publish`.",
)
def vendor_events_are_authentic(assembly: Assembly) -> Iterator[Finding]:
    """A vendor's events are not signed: every sender to the queue can change records."""
    fed = [each.queue for each in consumers(assembly) if each.function.is_processor]
    topics = [each for each in assembly.resources(TOPIC) if any(_subscribed(assembly, each, fed))]
    for queue in fed:
        policies = assembly.statements(queue, "AWS::SQS::QueuePolicy", "Queues")
        for source in _sources_of_services(policies):
            topic = assembly.resolve(queue.template, source, TOPIC)
            if topic not in topics or topic.template is not queue.template:
                problem = "allows a service without `aws:SourceArn` of a topic in its stack"
                yield Finding(queue, "QueuePolicy", problem)
    for topic in topics:
        policies = assembly.statements(topic, "AWS::SNS::TopicPolicy", "Topics")
        if not all(_sources_of_services(policies)):
            yield Finding(topic, "TopicPolicy", "allows a service without `aws:SourceArn`")
        for subscription in _subscribed(assembly, topic, fed):
            if subscription.value("RawMessageDelivery") is not True:
                problem = "is not on: the events worker reads events as the vendor published them"
                yield Finding(subscription, "RawMessageDelivery", problem)


def _subscribed(assembly: Assembly, topic: Resource, queues: list[Resource]) -> Iterator[Resource]:
    """Yield the subscriptions of these queues to a topic."""
    for subscription in assembly.resources(SUBSCRIPTION):
        place = subscription.template
        source = assembly.resolve(place, subscription.value("TopicArn"), TOPIC)
        target = assembly.resolve(place, subscription.value("Endpoint"), QUEUE)
        if source is topic and target in queues:
            yield subscription


def _sources_of_services(policies: Iterable[Statement]) -> Iterator[object]:
    """Yield the `aws:SourceArn` of each statement that allows services; None: it has none."""
    for statement in policies:
        if statement["Effect"] == "Allow" and "Service" in statement["Principal"]:
            conditions = statement.get("Condition", {})
            exact = {**conditions.get("StringEquals", {}), **conditions.get("ArnEquals", {})}
            yield exact.get("aws:SourceArn")


@invariant(
    "scheduled-jobs-run",
    holds=(
        "A scheduled job and a vendor check have an enabled schedule; the job also a table with the"
        f" index `{OPEN_WORK_INDEX}`, and queues that feed functions."
    ),
    remedy=(
        "Use `VendorCheck` as it is, and `ScheduledJob` with `ConversationsTable` and each"
        " `ChannelQueue`."
    ),
)
def scheduled_jobs_run(assembly: Assembly) -> Iterator[Finding]:
    """Without one, approved messages are not sent, statuses unknown, or retirements not noticed."""
    scheduled = {
        assembly.resolve(rule.template, target.get("Arn"), FUNCTION)
        for rule in assembly.resources(RULE)
        if rule.value("State") == "ENABLED" and rule.value("ScheduleExpression")
        for target in rule.value("Targets", [])
    }
    fed = [consumer.queue for consumer in consumers(assembly)]
    for function in (each.resource for each in scheduled_functions(assembly)):
        if function not in scheduled:
            yield Finding(function, "Schedule", "is missing or disabled, so that it never runs")
        for path in (CHANNEL_QUEUE, EVENTS_QUEUE):
            url = function.value(path)
            queue = assembly.resolve(function.template, url, QUEUE)
            if url is not None and queue not in fed:
                yield Finding(function, path, "is not the URL of a queue that feeds a function")
        table = assembly.resolve(function.template, function.value(OPEN_WORK_TABLE), TABLE)
        indexes = table.value("GlobalSecondaryIndexes", []) if table else []
        if table and OPEN_WORK_INDEX not in [index.get("IndexName") for index in indexes]:
            problem = f"is a table without the index {OPEN_WORK_INDEX}"
            yield Finding(function, OPEN_WORK_TABLE, problem)


@invariant(
    "hand-offs-are-kept",
    holds=(
        "A hand-off queue keeps its messages for 14 days, moves none to another queue, and takes"
        " them only from the functions whose HANDOFF_QUEUE_URL it is."
    ),
    remedy="Use `HandOffQueue` as it is, and its `grant_put` for the processor only.",
)
def hand_offs_are_kept(assembly: Assembly) -> Iterator[Finding]:
    """Other systems rely on the copies, and an erasure finds them on this queue only."""
    senders: dict[Resource, list[Resource | None]] = {}
    for function in (each.resource for each in processor_functions(assembly)):
        queue = assembly.resolve(function.template, function.value(HAND_OFF_QUEUE), QUEUE)
        if queue:
            role = assembly.resolve(function.template, function.value("Role"), ROLE)
            senders.setdefault(queue, []).append(role)
    for queue, roles in senders.items():
        if queue.value("RedrivePolicy") is not None:
            problem = "moves copies that were received a few times to another queue"
            yield Finding(queue, "RedrivePolicy", problem)
        if (kept := retention(queue)) != HAND_OFF_SECONDS:
            problem = f"is {kept} s, not {HAND_OFF_SECONDS}: 14 days"
            yield Finding(queue, "MessageRetentionPeriod", problem)
        for policy in _policies_allowing(assembly, SEND, queue):
            attached = [
                assembly.resolve(policy.template, each, ROLE)
                for each in as_list(policy.value("Roles", []))
            ]
            if not attached or any(role not in roles for role in attached):
                problem = "allows others than the functions that name the queue to send to it"
                yield Finding(policy, "PolicyDocument", problem)


def _policies_allowing(assembly: Assembly, action: str, queue: Resource) -> Iterator[Resource]:
    """Yield the policies, of any kind, that allow an action on a queue."""
    for policy in assembly.all_resources(*POLICIES):
        for statement in policy.value("PolicyDocument.Statement", []):
            on = [
                assembly.resolve(policy.template, arn, QUEUE)
                for arn in as_list(statement.get("Resource", []))
            ]
            if statement["Effect"] == "Allow" and covers(statement, action) and queue in on:
                yield policy
                break


@invariant(
    "secrets-have-one-owner",
    holds="No secret is within the prefixes of two channels.",
    remedy="Name the prefixes after the channel, as `ChannelNames` does, none within another.",
)
def secrets_have_one_owner(assembly: Assembly) -> Iterator[Finding]:
    """A channel that reads another channel's secrets sends with the wrong keys."""
    senders = [function for function in _with_secrets(assembly) if function.sends]
    for function, other in permutations(senders, 2):
        for prefix in _prefixes(function):
            for taken in _prefixes(other):
                if _contains(prefix, taken):
                    problem = f"holds {prefix!r}, and {other.resource.logical_id} has {taken!r}"
                    yield Finding(function.resource, PREFIXES, problem)


@invariant(
    "secrets-match-the-role",
    holds="A function's role may read the secrets within its prefixes, and no others.",
    remedy="Grant the role what `ChannelSecrets.grant_read` grants, for the same prefixes.",
)
def secrets_match_the_role(assembly: Assembly) -> Iterator[Finding]:
    """The variable and the role's policy must name the same secrets."""
    for function in _with_secrets(assembly):
        expected = {each for prefix in _prefixes(function) for each in readable_secrets(prefix)}
        allowed = set(_allowed_secrets(assembly, function.resource))
        for pattern in sorted(expected - allowed):
            yield Finding(function.resource, PREFIXES, f"needs {pattern!r}, which no grant allows")
        for pattern in sorted(allowed - expected):
            yield Finding(function.resource, PREFIXES, f"lacks {pattern!r}, which a grant allows")


def _with_secrets(assembly: Assembly) -> list[Function]:
    """Return the functions with valid settings that name the prefixes, or need none."""
    return [
        function
        for function in processor_functions(assembly)
        if function.settings
        and (function.is_events_worker or Variable.SECRET_PREFIXES in function.variables)
    ]


def _prefixes(function: Function) -> tuple[str, ...]:
    if Variable.SECRET_PREFIXES not in function.variables:
        return ()
    if function.variables[Variable.SECRET_PREFIXES] == DEPLOYED:
        raise UnresolvedValue(function.resource, PREFIXES, "a literal text")
    return function.settings.secret_prefixes if function.settings else ()


def _contains(prefix: str, other: str) -> bool:
    root, below = prefix.rstrip("/"), other.rstrip("/")
    return root == below or below.startswith(f"{root}/")


def _allowed_secrets(assembly: Assembly, function: Resource) -> Iterator[str]:
    """Yield the names of secrets, as patterns, that a function's role may read."""
    role = assembly.resolve(function.template, function.value("Role"), ROLE)
    if role is None:
        return
    statements = assembly.statements(role, "AWS::IAM::Policy", "Roles")
    statements += assembly.statements(role, "AWS::IAM::ManagedPolicy", "Roles")
    for inline in role.value("Policies", []):
        statements += inline["PolicyDocument"]["Statement"]
    for statement in statements:
        if statement["Effect"] == "Allow" and covers(statement, READ_SECRET):
            for arn in as_list(statement["Resource"]):
                yield _text(arn).rpartition(":secret:")[2]


def _text(arn: object) -> str:
    """Return an ARN as text, without the parts that are known only after deployment."""
    if isinstance(arn, Mapping):
        _, parts = arn.get("Fn::Join", ("", [f"<{arn}>"]))
        return "".join(part if isinstance(part, str) else "" for part in parts)
    return str(arn)
