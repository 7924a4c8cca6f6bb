"""The public names of the local cloud: an app, deployed and run on one machine.

`LocalCloud` deploys a `Project` with the CDK's own command line to an embedded AWS, whose event
source mapping invokes its function. Vendors respond on loopback: the OpenAI fake is here; a channel
of your own has its vendor's fake, a subclass of `FakeService`, and combines both in a `Composite`.
"""

from lambda_src.core import RecordKey
from local.aws import Aws
from local.channel import Channel, Resources
from local.cloud import LocalCloud
from local.deployment import Project
from local.errors import LocalCloudError
from local.fakes import FakeOpenAI, FakeService, Fault, FaultKind, Match, RecordedRequest, Rule
from local.lifecycle import Composite
from local.message_tracker import Failure, MessageState, MessageStatus, MessageTracker
from local.vendors import Inbox, Vendors

__all__ = [
    "Aws",
    "Channel",
    "Composite",
    "Failure",
    "FakeOpenAI",
    "FakeService",
    "Fault",
    "FaultKind",
    "Inbox",
    "LocalCloud",
    "LocalCloudError",
    "Match",
    "MessageState",
    "MessageStatus",
    "MessageTracker",
    "Project",
    "RecordKey",
    "RecordedRequest",
    "Resources",
    "Rule",
    "Vendors",
]
