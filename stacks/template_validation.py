"""Validates templates against CloudFormation's schemas and rules, once for each content.

Starting and running the CDK's own validation takes more than half of a synth. Its result depends
only on the templates and its version, so that templates without a finding are not validated again.
"""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import jsii
from aws_cdk import (
    CloudFormationValidatePlugin,
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
)

from stacks.packaging.lambda_package import digest


@jsii.implements(IPolicyValidationPlugin)
class TemplateValidation:
    """Runs the CDK's validation of templates, unless these templates have passed it before.

    Use it in an app with `builtin_cloud_formation_validation=False`.

    Args:
        passed: A directory for the digests of templates without a finding; it may not exist yet.
    """

    def __init__(self, passed: Path) -> None:
        self._passed = passed

    @property
    def name(self) -> str:
        """The name of the CDK's plugin, to which acknowledgements and feature flags refer."""
        return "CloudFormation Validate"

    @property
    def version(self) -> str:
        """The CDK's version."""
        return importlib.metadata.version("aws-cdk-lib")

    @property
    def rule_ids(self) -> list[str]:
        """No names: the CDK needs them only to list the rules, for which it starts its engine."""
        return []

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Validate the synthesized templates; one without a finding is remembered."""
        passed = self._passed / digest(self._parts(context))
        if passed.exists():
            return PolicyValidationPluginReport(success=True, violations=[])
        report = CloudFormationValidatePlugin().validate(context)
        if report.success and not report.violations:
            passed.parent.mkdir(parents=True, exist_ok=True)
            passed.touch()
        return report

    def _parts(self, context: IPolicyValidationContext) -> Iterator[bytes]:
        """Yield everything that the result depends on."""
        yield self.version.encode()
        for stack in context.stack_templates:
            yield f"{stack.stack_construct_path} {stack.account_id} {stack.region}".encode()
            yield Path(stack.template_path).read_bytes()
