"""The invariants as the CDK runs them: a validation plugin, after each synth, over its templates.

Over the templates and not over the constructs, because only they say what is deployed, whoever
overrode a property last; and because the CDK then shows everything that is wrong in one report.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
)

from lambda_src.core.contract import RELEASE
from stacks.invariants.assembly import Assembly, Resource, Template
from stacks.invariants.catalogue import CATALOGUE
from stacks.invariants.invariant import Finding, Invariant, Severity


@jsii.implements(IPolicyValidationPlugin)
class InvariantsPlugin:
    """Reports each finding with its place and what to do about it."""

    @property
    def name(self) -> str:
        """What stands before the invariant's name where a finding is acknowledged."""
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
        """Check the templates that were written."""
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
    """Yield what is wrong, each once, with all the places where it is."""
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
    facts = template.facts
    environment = f" (environment {facts.environment})" if facts and facts.environment else ""
    return f"{finding.property} {finding.problem}{environment}."


def _place(finding: Finding) -> PolicyViolatingResource:
    if isinstance(finding.place, Resource):
        return PolicyViolatingResource(
            resource_logical_id=finding.place.logical_id,
            template_path=str(finding.place.template.file),
            locations=[f"Properties/{finding.property.replace('.', '/')}"],
        )
    return PolicyViolatingResource(construct_path=finding.place.stack, locations=[finding.property])
