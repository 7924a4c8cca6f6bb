"""A communication channel as data: everything in which one channel differs from another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lambda_src.core.contract import EVENTS_HANDLER, HANDLER

if TYPE_CHECKING:  # it imports the CDK
    from stacks.config.environments import Environment

TWILIO_CREDENTIALS = (
    '{"twilio_account_sid": "AC…", "twilio_auth_token": "…", '
    '"twilio_template_sid": "HX…" (optional)}'
)
"""The documented JSON of a tenant's secret for Twilio."""


@dataclass(frozen=True, kw_only=True)
class Privilege:
    """What a channel's sender may do at AWS.

    Attributes:
        actions: Such as `ses:SendEmail`, without wildcards.
        resources: Patterns of ARNs, with the placeholders `{partition}`, `{region}`, `{account}`,
            `{project}` and `{environment}`.
        conditions: Conditions of the statement: operator -> key -> value.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One communication channel.

    Attributes:
        name: As in context objects and names of queues, functions and secrets: `whatsapp`.
        display: As in the names of stacks, metrics and alarms: `WhatsApp`.
        metric_filter_part: Distinguishes the names of the channel's metric filters; empty for the
            first channel, whose filters were named before there was a second one.
        credentials_form: The documented JSON of a tenant's secret; None: the vendor has no
            credentials of a tenant, so the channel has no such secrets, and none may be read.
        handler: The processor's handler; another repository's channel has its own.
        events_handler: The events worker's handler, likewise.
        vendor: Name of the vendor that sends the messages.
        sender_privileges: What the processor's role allows besides the usual; no other role does.
        aws_services: AWS services that the sender calls, as botocore names them; they are packaged.
        variables: Environment variables of the processor, with the placeholders of `Privilege`.
        has_callbacks: Whether the vendor reports by signed HTTP requests to the receiver.
        has_vendor_events: Whether the vendor puts events on the events queue through a topic.
        has_status_lookup: Whether the vendor can be asked for the status of a message.
        has_template_approval: Whether messages use templates that need an approval.
    """

    name: str
    display: str
    metric_filter_part: str
    credentials_form: str | None
    handler: str = HANDLER
    events_handler: str = EVENTS_HANDLER
    vendor: str = "Twilio"
    sender_privileges: tuple[Privilege, ...] = ()
    aws_services: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    has_callbacks: bool = True
    has_vendor_events: bool = False
    has_status_lookup: bool = True
    has_template_approval: bool = False

    def receives_callbacks(self, environment: "Environment") -> bool:
        """Return whether the channel has a receiver of callbacks in an environment."""
        return environment.delivery_webhook and self.has_callbacks

    def receives_vendor_events(self, environment: "Environment") -> bool:
        """Return whether the channel has a topic of its vendor's events in an environment."""
        return environment.delivery_webhook and self.has_vendor_events

    def looks_up(self, environment: "Environment") -> bool:
        """Return whether the scheduled job requests lookups in an environment."""
        return environment.delivery_sweep and self.has_status_lookup

    def has_delivery_events(self, environment: "Environment") -> bool:
        """Return whether the channel has an events queue and an events worker."""
        return (
            self.receives_callbacks(environment)
            or self.receives_vendor_events(environment)
            or self.looks_up(environment)
        )
