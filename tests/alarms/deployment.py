"""What CloudFormation would make of the templates, as far as the alarm chain goes."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.infra.synthesis import STACKS, Synthesized

ACCOUNT = "111122223333"
REGION = "eu-west-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}

NAMES = {
    "AWS::SQS::Queue": ("sqs", "QueueName", "{}"),
    "AWS::SNS::Topic": ("sns", "TopicName", "{}"),
    "AWS::Logs::LogGroup": ("logs", "LogGroupName", "log-group:{}"),
    "AWS::Lambda::Function": ("lambda", "FunctionName", "function:{}"),
    "AWS::KMS::Key": ("kms", "", "key/{}"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "AlarmName", "alarm:{}"),
}
"""By type: the service, the property that may hold the name, and the end of the ARN."""
NAMED_BY_ARN = {"AWS::SNS::Topic"}
"""Types whose `Ref` is the ARN; the others' is the name."""

Template = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A resource with everything in its properties resolved.

    `stack` is the id of the stack that it belongs to.
    """

    stack: str
    logical_id: str
    kind: str
    arn: str
    properties: Mapping[str, Any]


class Deployment:
    """The stacks of one environment.

    Args:
        templates: By the stacks' construct ids; they may be changed until `resources` is asked.
        physical: The stacks' ids by their names in CloudFormation.
    """

    def __init__(self, templates: dict[str, Template], physical: Mapping[str, str]) -> None:
        self.templates = templates
        self._physical = physical

    @classmethod
    def of(cls, synthesized: Synthesized) -> "Deployment":
        """Read the templates that a synth wrote."""
        physical = {
            synthesized.artifact(stack)["properties"]["stackName"]: stack for stack in STACKS
        }
        return cls({stack: synthesized.template(stack) for stack in STACKS}, physical)

    def copy(self) -> "Deployment":
        """Return the same with templates of its own."""
        return Deployment(copy.deepcopy(self.templates), self._physical)

    def resources(self, kind: str) -> list[Resource]:
        """Return all resources of a CloudFormation type."""
        return [
            self._resource(stack, logical_id)
            for stack, template in self.templates.items()
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] == kind
        ]

    def _resource(self, stack: str, logical_id: str) -> Resource:
        raw = self.templates[stack]["Resources"][logical_id]
        properties = self._resolved(raw.get("Properties", {}), stack)
        return Resource(stack, logical_id, raw["Type"], self._arn(stack, logical_id), properties)

    def _resolved(self, value: Any, stack: str) -> Any:
        if isinstance(value, list):
            return [self._resolved(part, stack) for part in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (intrinsic := _intrinsic(value)):
            return self._called(intrinsic, value[intrinsic], stack)
        return {key: self._resolved(part, stack) for key, part in value.items()}

    def _called(self, intrinsic: str, argument: Any, stack: str) -> Any:
        match intrinsic, argument:
            case "Ref", str():
                return PSEUDO.get(argument) or self._reference(stack, argument)
            case "Fn::GetAtt", [str() as logical_id, "Arn" | "TopicArn"]:
                return self._arn(stack, logical_id)
            case "Fn::GetAtt", [str() as logical_id, "QueueName" | "TopicName"]:
                return self._name(stack, logical_id)
            case "Fn::Join", [str() as separator, list() as parts]:
                return separator.join(self._resolved(parts, stack))
            case "Fn::GetStackOutput", {"StackName": str() as name, "OutputName": str() as output}:
                return self._output(self._physical[name], output)
        # Of no matter to alarms: other resources' attributes stand as their text.
        return f"<{intrinsic} {argument}>"

    def _output(self, stack: str, output: str) -> Any:
        return self._resolved(self.templates[stack]["Outputs"][output]["Value"], stack)

    def _reference(self, stack: str, logical_id: str) -> str:
        kind = self.templates[stack]["Resources"][logical_id]["Type"]
        named = self._arn if kind in NAMED_BY_ARN else self._name
        return named(stack, logical_id)

    def _name(self, stack: str, logical_id: str) -> str:
        resource = self.templates[stack]["Resources"][logical_id]
        _, key, _ = NAMES.get(resource["Type"], ("", "", ""))
        name = resource.get("Properties", {}).get(key, logical_id)
        return str(self._resolved(name, stack))

    def _arn(self, stack: str, logical_id: str) -> str:
        kind = self.templates[stack]["Resources"][logical_id]["Type"]
        service, _, end = NAMES.get(kind, (kind, "", "{}"))
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{end.format(self._name(stack, logical_id))}"


def _intrinsic(value: Mapping[str, Any]) -> str | None:
    (key,) = value
    return key if key == "Ref" or key.startswith("Fn::") else None
