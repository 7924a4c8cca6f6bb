"""Runs the invariants as a validation plugin of the CDK, after each synth, over its templates.

They read the templates rather than the constructs, because only templates include every override,
and because the CDK then shows everything that is wrong in one report.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Stack,
    Stage,
    Validations,
)
from constructs import Construct

from lambda_src.core.contract import RELEASE
from stacks.config.environments import Environment
from stacks.invariants import capacity, configuration, data_protection, delivery, monitoring
from stacks.invariants.assembly import METADATA, Assembly, Resource, StackMetadata, Template
from stacks.invariants.invariant import Finding, Invariant, Severity

CATALOGUE = tuple(
    each
    for module in (delivery, capacity, configuration, monitoring, data_protection)
    for each in vars(module).values()
    if isinstance(each, Invariant)
)
"""All invariants, in the order of the report."""

_attached: WeakKeyDictionary[Stack, Environment | None] = WeakKeyDictionary()
"""The stacks that have the rules, with their environments; it saves calls to the CDK's process."""


def attach_rules(scope: Construct, environment: Environment | None = None) -> None:
    """Check the invariants over a construct's stack at every synth.

    Args:
        scope: The construct.
        environment: The construct's environment, if it knows it: invariants about a tier or a
            vendor's limits apply only to stacks that have one.
    """
    stack = Stack.of(scope)
    if stack in _attached and (environment is None or environment is _attached[stack]):
        return
    _attached[stack] = environment
    if environment:
        stack.add_metadata(METADATA, StackMetadata.of(environment).write())
    elif METADATA not in (stack.template_options.metadata or {}):
        stack.add_metadata(METADATA, StackMetadata().write())
    stage = Stage.of(stack)
    if stage and not stage.node.try_find_child(Invariants.ID):
        Invariants(stage)


class Invariants(Construct):
    """Attaches the invariants to an app, or to a stage of it; it creates no resource."""

    ID = "Invariants"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, self.ID)
        Validations.of(stage).add_plugins(InvariantsPlugin())


@jsii.implements(IPolicyValidationPlugin)
class InvariantsPlugin:
    """Reports each finding with its place and remedy."""

    @property
    def name(self) -> str:
        """The prefix of an invariant's name in acknowledgements."""
        return "Invariants"

    @property
    def version(self) -> str:
        """The product's version."""
        return RELEASE

    @property
    def rule_ids(self) -> list[str]:
        """The names of the invariants."""
        return [invariant.name for invariant in CATALOGUE]

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Check the synthesized templates."""
        assembly = Assembly(
            [
                Template.read(stack.stack_construct_path, Path(stack.template_path))
                for stack in context.stack_templates
            ]
        )
        violations = [each for rule in CATALOGUE for each in _violations(rule, assembly)]
        stops = any(violation.severity != Severity.WARNING for violation in violations)
        return PolicyValidationPluginReport(success=not stops, violations=violations)


def _violations(invariant: Invariant, assembly: Assembly) -> Iterator[PolicyViolation]:
    """Yield each problem once, with all of its places."""
    places = defaultdict(list)
    for finding in invariant.findings(assembly):
        places[_sentence(finding)].append(_place(finding))
    for sentence, found in places.items():
        yield PolicyViolation(
            rule_name=invariant.name,
            description=sentence,
            fix=invariant.remedy,
            severity=invariant.severity.value,
            violating_resources=found,
        )


def _sentence(finding: Finding) -> str:
    template = finding.place if isinstance(finding.place, Template) else finding.place.template
    name = template.metadata.environment if template.metadata else ""
    environment = f" (environment {name})" if name else ""
    return f"{finding.property} {finding.problem}{environment}."


def _place(finding: Finding) -> PolicyViolatingResource:
    if isinstance(finding.place, Resource):
        return PolicyViolatingResource(
            resource_logical_id=finding.place.logical_id,
            template_path=str(finding.place.template.file),
            locations=[f"Properties/{finding.property.replace('.', '/')}"],
        )
    return PolicyViolatingResource(construct_path=finding.place.stack, locations=[finding.property])
