"""What a channel that sends through Amazon SES has at SES: configuration set, senders, events."""

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ses as ses
from constructs import Construct

from stacks.config import ChannelNames
from stacks.invariants import attach_rules
from stacks.vendor_topic import VendorTopic

EVENTS = ("delivery", "bounce", "complaint", "reject", "renderingFailure")
"""What the events worker uses, as CloudFormation names it; opens and clicks are not tracked."""


class SesSending(Construct):
    """Configuration set of a channel's e-mails, and the senders of the listed tenants.

    A sender belongs to a tenant: SES refuses an e-mail that is sent for one tenant from an identity
    or with a configuration set that is not associated with it. More tenants can be added without a
    deployment.

    Args:
        names: The channel's names, which give the configuration set's name.
        identities: By tenant: the domains and addresses that it sends from.
        removal_policy: Of tenants and identities.
        topic: Takes the events; None: there are none.

    Attributes:
        configuration_set: The configuration set.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        identities: Mapping[str, Sequence[str]],
        removal_policy: RemovalPolicy,
        topic: VendorTopic | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.configuration_set = ses.CfnConfigurationSet(
            self,
            "ConfigurationSet",
            name=names.configuration_set,
            # Texts and addresses are personal data: they do not leave SES without TLS.
            delivery_options=ses.CfnConfigurationSet.DeliveryOptionsProperty(tls_policy="REQUIRE"),
            suppression_options=ses.CfnConfigurationSet.SuppressionOptionsProperty(
                suppressed_reasons=["BOUNCE", "COMPLAINT"]
            ),
        )
        self._arn = self._format_arn("configuration-set", names.configuration_set)
        if topic:
            self._publish_events(topic)
        owners, senders = Construct(self, "Tenants"), Construct(self, "Identities")
        for tenant, own in identities.items():
            created = [_identity(senders, each) for each in own]
            resource = ses.CfnTenant(
                owners,
                tenant,
                tenant_name=tenant,
                resource_associations=[
                    ses.CfnTenant.ResourceAssociationProperty(resource_arn=arn)
                    for arn in (self._arn, *(self._format_arn("identity", each) for each in own))
                ],
            )
            for part in (self.configuration_set, *created):
                resource.node.add_dependency(part)
            for part in (resource, *created):
                part.apply_removal_policy(removal_policy)
        attach_rules(self, names.environment)

    def _publish_events(self, topic: VendorTopic) -> None:
        topic.allow_publish("ses.amazonaws.com", self._arn)
        destination = ses.CfnConfigurationSetEventDestination(
            self,
            "Events",
            configuration_set_name=self.configuration_set.ref,
            event_destination=ses.CfnConfigurationSetEventDestination.EventDestinationProperty(
                name="events",
                enabled=True,
                matching_event_types=list(EVENTS),
                sns_destination=ses.CfnConfigurationSetEventDestination.SnsDestinationProperty(
                    topic_arn=topic.topic.topic_arn
                ),
            ),
        )
        destination.node.add_dependency(topic)  # SES checks that it may publish

    def _format_arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="ses", resource=resource, resource_name=name)


def _identity(scope: Construct, name: str) -> ses.CfnEmailIdentity:
    return ses.CfnEmailIdentity(scope, name, email_identity=name)
