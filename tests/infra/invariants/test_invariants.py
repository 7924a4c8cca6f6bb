"""The invariants: resolved references, planted faults, and the report of a synth."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Acknowledgment, App, Stack, Stage, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs

from app import build
from stacks.channel_secrets import ChannelSecrets
from stacks.channels.sms import CHANNEL as SMS
from stacks.config import ChannelNames
from stacks.invariants.assembly import (
    ALARM,
    FUNCTION,
    QUEUE,
    Assembly,
    Resource,
    Template,
    UnresolvedValue,
)
from stacks.invariants.plugin import CATALOGUE
from stacks.processor import Processor
from stacks.shared_stack import SharedStack
from tests.infra import synthesis
from tests.infra.invariants.document import DOCUMENT, document
from tests.infra.invariants.planted_faults import FAULTS, Fault, Templates
from tests.infra.synthesis import (
    CONTEXT,
    DELIVERY,
    ENVIRONMENTS,
    ROOT,
    Synthesized,
    synthesize,
    violations,
)

EXPORTED = {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}, "Export": {"Name": "shared:arn"}}
SHARED = {"Resources": {"Queue": {"Type": QUEUE}}, "Outputs": {"Arn": EXPORTED}}
VERSION = {"FunctionName": {"Ref": "Function"}}
ALIAS = {"FunctionName": {"Fn::GetAtt": "Version.FunctionArn"}}
OWN = Template(
    stack="Own",
    stack_name="own",
    body={
        "Metadata": {"Invariants": {"tier": "development"}},
        "Resources": {
            "Own": {"Type": QUEUE},
            "Function": {"Type": FUNCTION},
            "Version": {"Type": "AWS::Lambda::Version", "Properties": VERSION},
            "Alias": {"Type": "AWS::Lambda::Alias", "Properties": ALIAS},
        },
    },
)
ASSEMBLY = Assembly([OWN, Template("Shared", "shared-stack", SHARED)])
PRODUCTION: dict[str, Any] = {
    "tier": "production",
    "removal_policy": "retain",
    "deletion_protection": True,
    "point_in_time_recovery": True,
    "log_retention_days": 365,
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Ref": "Own"}, "Own"),
        ({"Fn::GetAtt": ["Own", "Arn"]}, "Own"),
        ({"Fn::GetAtt": "Own.Arn"}, "Own"),
        ({"Fn::Join": ["", ["https://", {"Fn::GetAtt": ["Own", "QueueName"]}]]}, "Own"),
        ({"Fn::GetStackOutput": {"StackName": "shared-stack", "OutputName": "Arn"}}, "Queue"),
        ({"Fn::GetStackOutput": {"StackName": "another", "OutputName": "Arn"}}, None),
        ({"Fn::ImportValue": "shared:arn"}, "Queue"),
        ({"Fn::ImportValue": "another:arn"}, None),
        ({"Ref": "AWS::Region"}, None),
        ("arn:aws:sqs:eu-west-1:111122223333:queue", None),
        (None, None),
    ],
)
def test_references_to_a_queue(value: object, found: str | None) -> None:
    """A reference is resolved within its template and in the others."""
    queue = ASSEMBLY.resolve(OWN, value, QUEUE)
    assert found == (queue.logical_id if queue else None)


@pytest.mark.parametrize("name", ["Function", "Version", "Alias"])
def test_alias_refers_to_its_function(name: str) -> None:
    """A reference to an alias or a version resolves to its function."""
    function = ASSEMBLY.resolve(OWN, {"Fn::Join": [":", [{"Ref": name}, "live"]]}, FUNCTION)
    assert function is OWN.resources["Function"]


@pytest.mark.parametrize(("value", "number"), [(30, 30), ("30", 30), (None, 7)])
def test_numbers(value: object, number: int) -> None:
    """A number may be text, and has a default if it is not set."""
    properties = {} if value is None else {"Timeout": value}
    resource = Resource(OWN, "Function", {"Type": FUNCTION, "Properties": properties})
    assert number == resource.integer("Timeout", 7)


@pytest.mark.parametrize("value", [{"Ref": "Timeout"}, "soon", 1.5, True, "-1"])
def test_value_that_is_no_number(value: object) -> None:
    """A reference, or anything else that is not a number, is rejected."""
    resource = Resource(OWN, "Function", {"Type": FUNCTION, "Properties": {"Timeout": value}})
    with pytest.raises(UnresolvedValue, match="Function: Timeout is not a literal number"):
        resource.integer("Timeout", 7)


def test_checked_and_other_templates() -> None:
    """Only resources of stacks with our constructs are checked; others can be referred to."""
    assert ["Own"] == [resource.logical_id for resource in ASSEMBLY.resources(QUEUE)]
    assert ["Own", "Queue"] == [resource.logical_id for resource in ASSEMBLY.all_resources(QUEUE)]


@pytest.fixture(scope="session")
def faultless() -> Synthesized:
    """Return the templates of an environment that sets every key that an invariant needs."""
    return synthesize(
        **PRODUCTION,
        **DELIVERY,
        alert_email="on-call@ops.internal",
        conversation_retention_days=30,
        messages_per_second={"whatsapp": 80},
        ai_seconds_per_message=2,
        openai_requests_per_minute=60_000,
        openai_tokens_per_minute=60_000_000,
        tokens_per_message=1_000,
        messages_per_day={"whatsapp": 50_000},
    )


def test_faultless_templates_violate_nothing(faultless: Synthesized) -> None:
    """The templates in which faults are planted violate no invariant."""
    assert set() == Templates(faultless).violated()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.planted)
def test_a_planted_fault_is_found(faultless: Synthesized, fault: Fault) -> None:
    """A fault in our app's templates violates its invariants, and no others."""
    templates = Templates(faultless)
    fault.change(templates)
    assert fault.violates == templates.violated()


def test_an_alarm_may_have_other_actions_too(faultless: Synthesized) -> None:
    """An action that is not a topic of the app is no finding."""
    templates = Templates(faultless)
    actions = templates.first(ALARM)["Properties"]["AlarmActions"]
    actions.append("arn:aws:ssm:eu-west-1:111122223333:opsitem:1")
    assert set() == templates.violated()


def test_every_invariant_has_a_fault() -> None:
    """Each invariant has its own name and at least one planted fault."""
    names = [invariant.name for invariant in CATALOGUE]
    assert len(names) == len(set(names))
    assert set(names) == {name for fault in FAULTS for name in fault.violates}


def test_document_has_the_catalogue() -> None:
    """docs/invariants.md lists the invariants of the code."""
    assert document() == DOCUMENT.read_text()


@pytest.fixture
def app() -> App:
    """Return an empty app."""
    return synthesis.new_app()


def _acknowledge(app: App, name: str) -> None:
    acknowledged = Acknowledgment(id=f"Invariants::{name}", reason="A test requires it.")
    Validations.of(app).acknowledge(acknowledged)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments_violate_nothing(name: str) -> None:
    """Every environment satisfies all invariants, except for a placeholder of its address."""
    found = {violation["ruleName"] for violation in violations(synthesize(name).directory)}
    is_placeholder = str(CONTEXT["environments"][name]["alert_email"]).endswith("example.com")
    assert ({"alert-address-is-real"} if is_placeholder else set()) == found


@pytest.mark.parametrize(
    "changes",
    [
        synthesis.CHANGED,
        {"function_timeout_seconds": 160, "max_receive_count": 17, "tenants": ["a", "b"]},
    ],
    ids=["highest", "lowest"],
)
def test_boundary_values_violate_nothing(changes: dict[str, Any]) -> None:
    """Values at the ends of their ranges have no findings."""
    assert [] == violations(synthesize(**changes).directory)


def test_override_is_reported(app: App) -> None:
    """A property removed by an override is reported with its place and remedy."""
    build(app, synthesis.environment(), synthesis.stub_package())
    construct: Any = app
    for name in ("WhatsApp", "Processor", "Mapping"):
        construct = construct.node.find_child(name)
    construct.node.default_child.add_property_deletion_override("FunctionResponseTypes")
    with pytest.raises(RuntimeError, match="Invariants::failures-are-reported"):
        app.synth()
    (violation,) = violations(Path(app.outdir))
    assert "fatal" == violation["severity"]
    assert "(environment dev)" in violation["description"]
    assert "report_batch_item_failures=True" in violation["suggestedFix"]
    (place,) = violation["violatingConstructs"]
    assert "WhatsApp/Processor/Mapping/Resource" == place["constructPath"]
    assert ["Properties/FunctionResponseTypes"] == place["cloudFormationResource"]["propertyPaths"]


@pytest.mark.usefixtures("host_package")
def test_all_violations_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One synth fails with every violated invariant and its remedy."""
    worst = CONTEXT["environments"]["prod"] | {
        "alert_email": None,
        "removal_policy": "destroy",
        "deletion_protection": False,
        "point_in_time_recovery": False,
        "log_retention_days": 7,
        "log_level": "CRITICAL",
        "function_timeout_seconds": 90,
        "maximum_concurrency": 1_000,
        "max_receive_count": 5,
        "messages_per_second": {"whatsapp": 80, "fax": 10},
        "openai_requests_per_minute": 500,
    }
    report = str(
        synthesis.synthesis_error(
            monkeypatch, environments={"worst": worst}, env="worst", package_for="host"
        )
    )

    expected = {
        *("production-data-is-retained", "production-data-can-be-restored", "alarms-are-heard"),
        *("production-refuses-deletion", "production-logs-are-kept", "receives-cover-settling"),
        *("vendors-fit-the-function", "filters-match-what-is-logged", "sender-keeps-up"),
        *("receives-cover-account-refusals", "openai-keeps-up", "limited-channels-exist"),
    }
    assert expected == set(re.findall(r"Invariants::([a-z-]+)", report))
    assert all(each.remedy in report for each in CATALOGUE if each.name in expected)


def _shared_stack(scope: App | Stage, **changes: Any) -> None:
    """Add the stack that channels share, in production, which refuses deletion."""
    SharedStack(scope, "Shared", environment=synthesis.environment(**PRODUCTION | changes))


def test_only_stacks_with_our_constructs_are_checked(app: App) -> None:
    """Another stack of the app may violate any rule."""
    _shared_stack(app)
    sqs.Queue(Stack(app, "Other"), "Queue", encryption=sqs.QueueEncryption.UNENCRYPTED)
    found = violations(Path(app.synth().directory))
    assert {"alert-address-is-real"} >= {each["ruleName"] for each in found}


def test_another_handler_may_have_its_own_variables(app: App) -> None:
    """Another repository's processor may read other variables, but not a local server's address."""
    stack, environment = Stack(app, "Ours"), synthesis.environment()
    channel = replace(SMS, handler="push_processor.index.lambda_handler")
    names = ChannelNames(channel, environment)
    secrets = ChannelSecrets(
        stack, "Secrets", names=names, tenants=(), removal_policy=environment.removal_policy
    )
    processor = Processor(
        stack,
        "Processor",
        names=names,
        environment=environment,
        code=synthesis.stub_package().code(),
        queue=sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:eu-west-1:111122223333:q"),
        table=dynamodb.Table.from_table_name(stack, "Table", "conversations"),
        secret_prefixes=secrets.prefixes,
    )
    secrets.grant_read(processor.function)
    processor.function.add_environment("PUSH_REGION", "eu")
    processor.function.add_environment("OPENAI_BASE_URL", "http://127.0.0.1:80")
    with pytest.raises(RuntimeError) as error:
        app.synth()
    assert "OPENAI_BASE_URL is not an address of OpenAI" in str(error.value)
    assert "PUSH_REGION" not in str(error.value)


def test_stages_are_checked(app: App) -> None:
    """The stacks of a stage are checked."""
    _shared_stack(Stage(app, "Stage"), point_in_time_recovery=False)
    with pytest.raises(RuntimeError, match="Invariants::production-data-can-be-restored"):
        app.synth()


def test_error_can_be_acknowledged(app: App) -> None:
    """An acknowledged error does not stop synth, and the report has the reason."""
    _shared_stack(app, point_in_time_recovery=False)
    _acknowledge(app, "production-data-can-be-restored")
    report = json.loads((Path(app.synth().directory) / "validation-report.json").read_text())
    (plugin,) = report["pluginReports"]
    assert [] == plugin["violations"]
    assert {"A test requires it."} == {each["reason"] for each in plugin["suppressedViolations"]}


def test_fatal_finding_cannot_be_acknowledged(app: App) -> None:
    """A fatal finding stops synth even if it is acknowledged."""
    build(app, synthesis.environment(max_receive_count=5), synthesis.stub_package())
    _acknowledge(app, "receives-cover-settling")
    with pytest.raises(RuntimeError, match=r"FATAL RedrivePolicy\.maxReceiveCount is 5"):
        app.synth()


def test_unresolved_value_is_reported(faultless: Synthesized) -> None:
    """A reference in place of a number that an invariant needs is a finding."""
    templates = Templates(faultless)
    queue = templates.first(QUEUE, "ChannelQueue4")
    queue["Properties"]["VisibilityTimeout"] = {"Ref": "AWS::AccountId"}
    assert {"visibility-outlasts-function", "visibility-as-advised"} == templates.violated()


def test_every_construct_attaches_the_rules() -> None:
    """Each module of a construct does, or its alarms' notifier; others only combine constructs."""
    modules = {path.stem: path.read_text("utf-8") for path in (ROOT / "stacks").glob("*.py")}
    lacking = {name for name, text in modules.items() if "(Construct):" in text} - {
        name for name, text in modules.items() if "attach_rules(" in text
    }
    assert {"channel_dashboard", "delivery_events"} == lacking
    assert "attach_rules(" in (ROOT / "stacks/alarms/notifier.py").read_text("utf-8")
