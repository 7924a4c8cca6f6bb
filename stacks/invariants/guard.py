"""How the invariants come to a template: with the constructs that it is made of."""

from aws_cdk import Stack, Stage, Validations
from constructs import Construct

from stacks.environments import Environment
from stacks.invariants.facts import METADATA, Facts
from stacks.invariants.plugin import InvariantsPlugin


def guard(scope: Construct, environment: Environment | None = None) -> None:
    """Let every synth check the invariants over the stack that a construct stands in.

    Args:
        scope: The construct.
        environment: What the construct is for, if it knows: invariants of a tier or of a vendor's
            limits hold for stacks only that one of their constructs says the environment of.
    """
    stack = Stack.of(scope)
    if environment:
        stack.add_metadata(METADATA, Facts.of(environment).as_metadata())
    elif METADATA not in (stack.template_options.metadata or {}):
        stack.add_metadata(METADATA, Facts().as_metadata())
    stage = Stage.of(scope)
    if stage and not stage.node.try_find_child(Invariants.ID):
        Invariants(stage)


class Invariants(Construct):
    """Attaches the invariants to an app, or to a stage of it, once; it makes no resource."""

    ID = "Invariants"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, self.ID)
        Validations.of(stage).add_plugins(InvariantsPlugin())
