"""The channel e-mail, through Amazon SES."""

from typing import TYPE_CHECKING

from stacks.config import Channel, Privilege

if TYPE_CHECKING:
    from stacks.channel_stack import ChannelStack

CONFIGURATION_SET = "{project}-email-{environment}"
SES = "arn:{partition}:ses:{region}:{account}"

CHANNEL = Channel(
    name="email",
    display="Email",
    metric_filter_part="Email",
    credentials_form=None,
    vendor="Amazon SES",
    sender_privileges=(
        Privilege(
            actions=("ses:SendEmail",),
            resources=(f"{SES}:identity/*", f"{SES}:configuration-set/{CONFIGURATION_SET}"),
            # Only for a tenant: SES then refuses the senders of other tenants.
            conditions={"Null": {"ses:TenantName": "false"}},
        ),
    ),
    aws_services=("sesv2",),
    variables={"SES_CONFIGURATION_SET": CONFIGURATION_SET},
    has_callbacks=False,
    has_vendor_events=True,
    has_status_lookup=False,
)


def add_resources(stack: "ChannelStack") -> None:
    """Add the configuration set, the listed tenants' senders, and the events' destination."""
    from stacks.ses_sending import SesSending  # noqa: PLC0415 - the names need no constructs

    environment, events = stack.names.environment, stack.delivery_events
    SesSending(
        stack,
        "Ses",
        names=stack.names,
        identities=environment.email_identities,
        removal_policy=environment.removal_policy,
        topic=events.topic if events else None,
    )
