"""The HTTP API that receives vendors' status callbacks, and each channel's receiver behind it."""

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from lambda_src.core.contract import (
    EVENTS_QUEUE_URL,
    RECEIVER_HANDLER,
    RELEASE,
    Variable,
)
from stacks.config import ChannelNames, SharedNames
from stacks.config.environments import Environment
from stacks.functions import logged_function
from stacks.invariants import attach_rules

REQUESTS_PER_SECOND, BURST = 500, 1_000
"""Limits of the API's stage: anyone may call it, and a message has up to four callbacks."""

RECEIVER_MEMORY_MB = 256
RECEIVER_TIMEOUT = Duration.seconds(10)
"""Less than the 15 seconds for which Twilio waits (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides)."""


class CallbackEndpoint(Construct):
    """HTTP API without routes; each channel adds its own.

    It has no access log, because its paths contain ids of conversations, and no authorizer: the
    events worker verifies the vendor's signature.

    Args:
        names: Names of the shared resources.
        environment: What may differ between environments.

    Attributes:
        api: The API.
        base_url: The public URL before `/callbacks/`, without a slash at its end.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: SharedNames,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.HttpApi(
            self,
            "Api",
            api_name=names.callback_api,
            description="Receives the status callbacks of the channels' vendors",
            create_default_stage=False,
        )
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=REQUESTS_PER_SECOND, burst_limit=BURST),
        )
        Validations.of(stage).acknowledge(
            Acknowledgment(
                id="AwsSolutions-APIG1",
                reason="An access log would contain the paths, which have ids of conversations.",
            )
        )
        self.base_url = environment.callback_base_url or self.api.api_endpoint
        attach_rules(self, environment)


class CallbackReceiver(Construct):
    """A channel's route, and the function that puts its requests on the events queue.

    Args:
        names: The channel's names.
        environment: Runtime, log level and what else may differ.
        code: The package that has the receiver.
        endpoint: The environment's API.
        events: The queue of delivery events; grant access with `ChannelQueue.grant_send`.
        encryption_key: Encrypts the log group; None: CloudWatch's own key.

    Attributes:
        function: The function.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        environment: Environment,
        code: lambda_.Code,
        endpoint: CallbackEndpoint,
        events: sqs.IQueue,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = logged_function(
            self,
            environment,
            names.receiver_log_group,
            encryption_key,
            function_name=names.receiver,
            description=f"Stores the status callbacks of {names.channel.display} messages",
            code=code,
            handler=RECEIVER_HANDLER,
            memory_size=RECEIVER_MEMORY_MB,
            timeout=RECEIVER_TIMEOUT,
            reserved_concurrent_executions=environment.receiver_concurrency,
            variables={
                Variable.CHANNEL: names.channel.name,
                EVENTS_QUEUE_URL: events.queue_url,
                Variable.CALLBACK_BASE_URL: endpoint.base_url,
                Variable.LOG_LEVEL: environment.log_level,
                Variable.VERSION: RELEASE,
            },
        ).function
        route = apigateway.HttpRoute(
            self,
            "Route",
            http_api=endpoint.api,
            route_key=apigateway.HttpRouteKey.with_(
                f"/callbacks/{names.channel.name}/{{reference}}/{{intent_id}}",
                apigateway.HttpMethod.POST,
            ),
            integration=HttpLambdaIntegration("Receiver", self.function),
        )
        Validations.of(route).acknowledge(
            Acknowledgment(
                id="AwsSolutions-APIG4",
                reason="Vendors sign their callbacks; the events worker verifies the signature.",
            )
        )
        attach_rules(self, environment)
