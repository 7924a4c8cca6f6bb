"""A Lambda function with its own log group and role, and the schedule of one that needs it."""

from typing import Any, NamedTuple, cast

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.config.environments import Environment


class LoggedFunction(NamedTuple):
    """A function and its log group."""

    function: lambda_.Function
    log_group: logs.LogGroup


def logged_function(
    scope: Construct,
    environment: Environment,
    log_group_name: str,
    encryption_key: kms.IKey | None,
    *,
    variables: dict[str, str],
    **properties: Any,
) -> LoggedFunction:
    """Create `Function`, its `LogGroup` and its `Role` in a construct.

    Args:
        scope: The construct.
        environment: Runtime and architecture, and how long lines are kept.
        log_group_name: The log group's name.
        encryption_key: Encrypts the log group; None: CloudWatch's own key.
        variables: The environment variables.
        properties: The function's other properties.
    """
    log_group = logs.LogGroup(
        scope,
        "LogGroup",
        log_group_name=log_group_name,
        retention=environment.log_retention,
        removal_policy=environment.removal_policy,
        encryption_key=encryption_key,
    )
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    function = lambda_.Function(
        scope,
        "Function",
        role=role,
        log_group=log_group,
        runtime=environment.function_runtime,
        architecture=environment.function_architecture,
        environment=variables,
        **properties,
    )
    Validations.of(function).acknowledge(
        Acknowledgment(
            id="AwsSolutions-L1",
            reason="The environment chooses the runtime, which the package is built for.",
        )
    )
    # The CDK makes the function depend on its role's policy by a list that also has the role.
    resource = cast("lambda_.CfnFunction", function.node.default_child)
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
    return LoggedFunction(function, log_group)


def add_schedule(
    scope: Construct, function: lambda_.Function, *, name: str, description: str, seconds: int
) -> None:
    """Create `Schedule`, which invokes a function at a rate.

    Args:
        scope: The construct.
        function: The function.
        name: The rule's name.
        description: What the rule invokes.
        seconds: The time between two runs.
    """
    # A rule needs no role, in contrast to a schedule of EventBridge Scheduler: the function's
    # policy allows this rule to invoke it.
    events.Rule(
        scope,
        "Schedule",
        rule_name=name,
        description=description,
        schedule=events.Schedule.rate(Duration.seconds(seconds)),
        targets=[targets.LambdaFunction(function)],
    )
