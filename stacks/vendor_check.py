"""The vendor check of a channel: models and templates that vendors will no longer accept."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lambda_src.core.contract import (
    DEFAULTS,
    METRICS_NAMESPACE,
    RELEASE,
    VENDOR_CHECK_HANDLER,
    VENDOR_CHECK_SECONDS,
    Variable,
)
from stacks.alarms.notifier import AlarmNotifier
from stacks.alarms.vendor_check_alarms import add_vendor_check_alarms
from stacks.channel_secrets import ChannelSecrets
from stacks.config import ChannelNames
from stacks.config.environments import Environment
from stacks.functions import add_schedule, logged_function
from stacks.grants import acknowledge_wildcards
from stacks.invariants import attach_rules

MEMORY_MB = 256
TIMEOUT = Duration.minutes(5)
"""Enough for a thousand tenants, ten at a time."""


class VendorCheck(Construct):
    """Function that asks vendors every hour what they retire, its schedule and its alarms.

    It counts the models of the deployed assistants that OpenAI shuts down soon and, on a channel
    whose templates need an approval, the tenants whose template has none.

    It is a function of its own, since it reads the secrets of all tenants: its role may list and
    read the channel's secrets, and may neither send, nor read or write the table or a queue.

    Args:
        names: The channel's names; the channel also says whether templates are checked.
        environment: Runtime, log level, OpenAI's address and what else may differ.
        code: The package that holds the runtime.
        secrets: The channel's secrets.
        notifier: Creates the alarms.
        encryption_key: Encrypts the log group; None: CloudWatch's own key.

    Attributes:
        function: The function.
        checks_templates: Whether it checks templates.
        alarms: All alarms.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        environment: Environment,
        code: lambda_.Code,
        secrets: ChannelSecrets,
        notifier: AlarmNotifier,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.checks_templates = names.channel.has_template_approval
        variables: dict[str, str] = {
            Variable.CHANNEL: names.channel.name,
            Variable.SECRET_PREFIXES: ",".join(secrets.prefixes),
            Variable.TWILIO_TIMEOUT_SECONDS: DEFAULTS[Variable.TWILIO_TIMEOUT_SECONDS],
            Variable.LOG_LEVEL: environment.log_level,
            Variable.VERSION: RELEASE,
            METRICS_NAMESPACE: names.metrics_namespace,
        }
        if environment.openai_base_url:
            variables[Variable.OPENAI_BASE_URL] = environment.openai_base_url
        self.function = logged_function(
            self,
            environment,
            names.vendor_check_log_group,
            encryption_key,
            function_name=names.vendor_check,
            description=f"Checks what vendors of {names.channel.display} messages retire",
            code=code,
            handler=VENDOR_CHECK_HANDLER,
            memory_size=MEMORY_MB,
            timeout=TIMEOUT,
            variables=variables,
        ).function
        secrets.grant_check(self.function)
        acknowledge_wildcards(self, "*", reason="Listing names of secrets, on all resources only.")
        add_schedule(
            self,
            self.function,
            name=names.vendor_check,
            description=f"Invokes the vendor check of {names.channel.display}",
            seconds=VENDOR_CHECK_SECONDS,
        )
        self.alarms: tuple[cloudwatch.Alarm, ...] = add_vendor_check_alarms(
            self, names=names, notifier=notifier
        )
        attach_rules(self, environment)
