"""What a key of an environment changes in the templates."""

from lambda_src.core.contract import Variable
from tests.infra.synthesis import STACKS, Synthesized, synthesize


def test_snap_start_on() -> None:
    """With SnapStart the published versions start from a snapshot."""
    function = synthesize(snap_start=True).properties("WhatsApp", "AWS::Lambda::Function")

    assert {"ApplyOn": "PublishedVersions"} == function["SnapStart"]


def test_snap_start_off(dev: Synthesized) -> None:
    """Without SnapStart the function says nothing of it."""
    assert "SnapStart" not in dev.properties("WhatsApp", "AWS::Lambda::Function")


def test_alert_address() -> None:
    """The address that an environment names is subscribed to the topic."""
    shared = synthesize(alert_email="on-call@example.com")
    subscription = shared.properties("Shared", "AWS::SNS::Subscription")

    assert "email" == subscription["Protocol"]
    assert "on-call@example.com" == subscription["Endpoint"]
    assert "CriticalAlertsTopic" in subscription["TopicArn"]["Ref"]


def test_no_alert_address(dev: Synthesized) -> None:
    """Without an address nobody is subscribed."""
    assert [] == dev.resources("Shared", "AWS::SNS::Subscription")


def test_assistants_server() -> None:
    """The address of an Assistants-compatible server reaches the function's configuration."""
    url = "https://assistants.example.com/v1"
    function = synthesize(assistants_base_url=url).properties("WhatsApp", "AWS::Lambda::Function")

    assert url == function["Environment"]["Variables"][Variable.ASSISTANTS_BASE_URL]


def test_retention() -> None:
    """The days that a conversation is kept reach the function, which dates the table's records."""
    kept = synthesize(conversation_retention_days=45)
    variables = kept.properties("WhatsApp", "AWS::Lambda::Function")["Environment"]["Variables"]
    table = kept.properties("Shared", "AWS::DynamoDB::Table")

    assert "45" == variables[Variable.CONVERSATION_RETENTION_DAYS]
    assert {"AttributeName": "expires_at", "Enabled": True} == table["TimeToLiveSpecification"]


def test_function() -> None:
    """Runtime, architecture, memory and timeout are the environment's."""
    function = synthesize(
        function_runtime="python3.14",
        function_architecture="x86_64",
        function_memory_mb=1_024,
        function_timeout_seconds=240,
    ).properties("WhatsApp", "AWS::Lambda::Function")

    assert "python3.14" == function["Runtime"]
    assert ["x86_64"] == function["Architectures"]
    assert (1_024, 240) == (function["MemorySize"], function["Timeout"])


def test_batch_and_log_level() -> None:
    """As many threads as a batch has messages, and the level, reach the function."""
    synthesized = synthesize(batch_size=3, log_level="DEBUG")
    function = synthesized.properties("WhatsApp", "AWS::Lambda::Function")
    mapping = synthesized.properties("WhatsApp", "AWS::Lambda::EventSourceMapping")

    variables = function["Environment"]["Variables"]
    assert ("3", "DEBUG") == (variables[Variable.MAX_CONCURRENCY], variables[Variable.LOG_LEVEL])
    assert 3 == mapping["BatchSize"]


def test_account_and_region() -> None:
    """Named account and region are where an environment's stacks go, and nowhere else."""
    there = synthesize(account="111122223333", region="eu-west-1")

    assert {"aws://111122223333/eu-west-1"} == {there.artifact(s)["environment"] for s in STACKS}
    assert "arn:aws:secretsmanager:eu-west-1:111122223333:secret:" in str(
        there.template("WhatsApp")
    )


def test_protected_stacks_cannot_be_deleted() -> None:
    """Deletion protection covers the stacks themselves, each of them."""
    for protection in (True, False):
        synthesized = synthesize(deletion_protection=protection)
        protected = [
            synthesized.artifact(s)["properties"].get("terminationProtection") for s in STACKS
        ]
        assert [protection] * len(STACKS) == [bool(value) for value in protected]


def test_production_data_survives(prod: Synthesized) -> None:
    """In prod the table cannot be deleted, can be wound back, and outlives its stack."""
    (table,) = prod.resources("Shared", "AWS::DynamoDB::Table")
    recovery = table["Properties"]["PointInTimeRecoverySpecification"]

    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert recovery["PointInTimeRecoveryEnabled"] is True
    assert "RetainExceptOnCreate" == table["DeletionPolicy"]
