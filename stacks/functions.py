"""A Lambda function with its own log group and a role that may write to it, and nothing else."""

from typing import Any, cast

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct


def function_with_log(
    scope: Construct, log_group: logs.LogGroup, **properties: Any
) -> lambda_.Function:
    """Create `Function` and its `Role` in a construct.

    Args:
        scope: The construct.
        log_group: The function's log group.
        properties: The function's other properties.
    """
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    function = lambda_.Function(scope, "Function", role=role, log_group=log_group, **properties)
    Validations.of(function).acknowledge(
        Acknowledgment(
            id="AwsSolutions-L1",
            reason="The environment chooses the runtime, which the package is built for.",
        )
    )
    # The CDK makes the function depend on its role's policy by a list that also has the role.
    resource = cast("lambda_.CfnFunction", function.node.default_child)
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
    return function
