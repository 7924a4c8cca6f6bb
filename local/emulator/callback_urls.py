"""The URL at which the embedded AWS serves the HTTP API for status callbacks.

An API's own URL there, `http://<id>.execute-api.127.0.0.1:<port>`, has a host name that does not
exist. The embedded AWS serves each API also below a path of its endpoint, and takes an API's id
from a tag, so that the URL is known before the deployment. Its port differs with every run.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_src.core.contract import RECEIVER_HANDLER, Variable

API_ID = "callbacks"
API_ID_TAG = "ms-custom-id"
OUTPUT = "CallbackBaseUrl"
"""The output of the stack that contains the API."""


def callback_base_url(endpoint: str) -> str:
    """Return the base URL of status callbacks at an embedded AWS."""
    return f"{endpoint}/_aws/execute-api/{API_ID}"


def with_callback_url(
    assembly: Path, copy: Path, url: str | None, variables: Mapping[str, str]
) -> Path:
    """Copy an assembly, with another base URL of status callbacks and other variables.

    Args:
        assembly: a cloud assembly.
        copy: where the copy is created; what is there is removed.
        url: the base URL; None if no callbacks are requested, since the vendor cannot reach this
            machine.
        variables: values of environment variables, for the functions that have them.

    Returns:
        The copy.
    """
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for path in assembly.iterdir():
        if path.name.endswith(".template.json"):
            template = json.loads(path.read_text("utf-8"))
            _set_url(template, url)
            _set_variables(template, variables)
            (copy / path.name).write_text(json.dumps(template, indent=1), "utf-8")
        elif path.is_dir():
            (copy / path.name).symlink_to(path.resolve(), target_is_directory=True)
        else:
            shutil.copyfile(path, copy / path.name)
    return copy


def _set_url(template: dict[str, Any], url: str | None) -> None:
    outputs = template.get("Outputs", {})
    for resource in template.get("Resources", {}).values():
        if resource["Type"] == "AWS::Lambda::Function":
            _set_variable(resource["Properties"], url)
        elif resource["Type"] == "AWS::ApiGatewayV2::Api" and OUTPUT in outputs:
            resource["Properties"].setdefault("Tags", {})[API_ID_TAG] = API_ID
    if url and OUTPUT in outputs:
        outputs[OUTPUT]["Value"] = url


def _set_variables(template: dict[str, Any], values: Mapping[str, str]) -> None:
    for resource in template.get("Resources", {}).values():
        if resource["Type"] == "AWS::Lambda::Function":
            variables = resource["Properties"].get("Environment", {}).get("Variables", {})
            variables |= {name: value for name, value in values.items() if name in variables}


def _set_variable(function: dict[str, Any], url: str | None) -> None:
    variables = function.get("Environment", {}).get("Variables", {})
    if Variable.CALLBACK_BASE_URL not in variables:
        return
    if url:
        variables[Variable.CALLBACK_BASE_URL] = url
    elif function["Handler"] != RECEIVER_HANDLER:  # which does not start without it
        del variables[Variable.CALLBACK_BASE_URL]
