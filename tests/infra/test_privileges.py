"""Who may do what: exact, so that a privilege too many is as wrong as one too few."""

from typing import Any

from tests.infra.synthesis import Synthesized


def _statements(dev: Synthesized) -> dict[tuple[str, ...], Any]:
    policy = dev.properties("WhatsApp", "AWS::IAM::Policy")["PolicyDocument"]
    assert all(statement["Effect"] == "Allow" for statement in policy["Statement"])
    return {_actions(statement): statement["Resource"] for statement in policy["Statement"]}


def _actions(statement: dict[str, Any]) -> tuple[str, ...]:
    actions = statement["Action"]
    return (actions,) if isinstance(actions, str) else tuple(actions)


def _spelled(arn: dict[str, Any]) -> str:
    return "".join(
        part if isinstance(part, str) else f"<{part['Ref']}>" for part in arn["Fn::Join"][1]
    )


def test_processor_may_do_this_only(dev: Synthesized) -> None:
    """The function's role holds these actions and no managed policy."""
    assert {
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        (
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ),
        (
            "dynamodb:ConditionCheckItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ),
        ("secretsmanager:GetSecretValue",),
    } == set(_statements(dev))
    role = dev.properties("WhatsApp", "AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role
    assert "Policies" not in role


def test_processor_may_touch_its_own_only(dev: Synthesized) -> None:
    """Each action is allowed on one resource of the channel, or on the shared table."""
    by_service = {actions[0].split(":")[0]: on for actions, on in _statements(dev).items()}

    assert "ProcessorLogGroup" in by_service["logs"]["Fn::GetAtt"][0]
    assert "ChannelQueue4930F42B" == by_service["sqs"]["Fn::GetAtt"][0]
    output = by_service["dynamodb"]["Fn::GetStackOutput"]["OutputName"]
    (table,) = dev.template("Shared")["Outputs"][output]["Value"]["Fn::GetAtt"][:1]
    assert "AWS::DynamoDB::Table" == dev.template("Shared")["Resources"][table]["Type"]


def test_processor_may_read_its_prefixes_only(dev: Synthesized) -> None:
    """Secrets are readable by exact name and below the channel's prefixes, in this account."""
    arns = [
        "".join(
            part if isinstance(part, str) else f"<{part['Ref']}>" for part in arn["Fn::Join"][1]
        )
        for arn in _statements(dev)[("secretsmanager:GetSecretValue",)]
    ]

    base = "arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:"
    assert [
        f"{base}ai-multi-comms/dev/openai-api-key/whatsapp-??????",
        f"{base}ai-multi-comms/dev/openai-api-key/whatsapp/*",
        f"{base}ai-multi-comms/dev/whatsapp-credentials/*",
    ] == list(arns)


def test_only_lambda_takes_the_role(dev: Synthesized) -> None:
    """The role is assumed by the Lambda service alone."""
    role = dev.properties("WhatsApp", "AWS::IAM::Role")
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]

    assert {"Service": "lambda.amazonaws.com"} == statement["Principal"]


def test_alarms_may_publish(dev: Synthesized) -> None:
    """The topic's policy lets the account's own alarms publish, and nobody else's."""
    policy = dev.properties("Shared", "AWS::SNS::TopicPolicy")["PolicyDocument"]
    (allowed,) = [item for item in policy["Statement"] if item["Effect"] == "Allow"]

    assert {"Service": "cloudwatch.amazonaws.com"} == allowed["Principal"]
    assert "sns:Publish" == allowed["Action"]
    own_account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert {"StringEquals": own_account} == allowed["Condition"]
