"""Templates cut down to what a person reviews."""

import json
import re
from collections.abc import Iterator
from typing import Any

from aws_cdk import Stack
from aws_cdk.assertions import Template

DASHBOARD = "AWS::CloudWatch::Dashboard"
VERSION_HASH = re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}")


def resources_of(stack: Stack) -> dict[str, Any]:
    """Return a stack's resources, without the CDK's own notes and hashes."""
    text = stable(json.dumps(Template.from_stack(stack).to_json()["Resources"]))
    resources: dict[str, dict[str, Any]] = json.loads(text)
    return {
        name: {key: value for key, value in readable(resource).items() if key != "Metadata"}
        for name, resource in resources.items()
    }


def readable(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource, with the JSON text of a dashboard as the value that it stands for."""
    if resource["Type"] != DASHBOARD:
        return resource
    properties = resource["Properties"]
    return resource | {
        "Properties": properties | {"DashboardBody": dashboard_body(properties["DashboardBody"])}
    }


def dashboard_body(joined: dict[str, Any]) -> dict[str, Any]:
    """Return what a dashboard shows; references stand as `${LogicalId.Attribute}`."""
    parts = joined["Fn::Join"][1]
    body: dict[str, Any] = json.loads("".join(map(_as_text, parts)))
    return body


def _as_text(part: str | dict[str, Any]) -> str:
    if isinstance(part, str):
        return part
    [target] = part.values()
    return "${%s}" % (target if isinstance(target, str) else ".".join(target))


def inventory(template: dict[str, Any]) -> dict[str, Any]:
    """Return which resources a template has, and what it gives out."""
    kinds = {stable(name): item["Type"] for name, item in template["Resources"].items()}
    return {"Resources": kinds, "Outputs": template["Outputs"]}


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every leaf of a JSON value with its path."""
    parts: dict[str, object] = {}
    if isinstance(value, dict):
        parts = {str(key): part for key, part in value.items()}
    elif isinstance(value, list):
        parts = {str(index): part for index, part in enumerate(value)}
    else:
        yield path, value
    for key, part in parts.items():
        yield from leaves(part, f"{path}/{key}")


def stable(text: str) -> str:
    """Return the text without the hashes that the CDK puts into the ids of function versions."""
    return VERSION_HASH.sub(r"\1<hash>", text)
