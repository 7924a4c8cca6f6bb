"""The public names of the local cloud: an app, deployed and run on one machine.

`World` deploys a `Project` with the CDK's own command line to an embedded AWS, and lets its mapping
call its function. Vendors answer on loopback: OpenAI's stand-in is here, a channel of your own
brings its vendor's, made of `StandIn`, together with it as a `Composite`.
"""

from local.aws import Aws
from local.channel import Channel, RecordKey
from local.composite import Composite
from local.errors import LocalCloudError
from local.journey import Failure, Journey, Milestone, Sighting
from local.project import Project
from local.resources import Resources
from local.stand_ins import Fault, FaultKind, Match, OpenAIStandIn, RecordedCall, Rule, StandIn
from local.vendors import Vendors
from local.world import World

__all__ = [
    "Aws",
    "Channel",
    "Composite",
    "Failure",
    "Fault",
    "FaultKind",
    "Journey",
    "LocalCloudError",
    "Match",
    "Milestone",
    "OpenAIStandIn",
    "Project",
    "RecordKey",
    "RecordedCall",
    "Resources",
    "Rule",
    "Sighting",
    "StandIn",
    "Vendors",
    "World",
]
