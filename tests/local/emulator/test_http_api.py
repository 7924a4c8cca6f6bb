"""The embedded AWS's HTTP APIs, compared with API Gateway's."""

import json
import urllib.error
import urllib.request
from base64 import b64decode
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lambda_src.core.contract import RECEIVER_HANDLER
from local.aws import Aws
from local.cloud import ACCOUNT
from local.emulator.callback_urls import OUTPUT, callback_base_url, with_callback_url
from local.lifecycle import wait_for

CODE = """import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "echo",
                "Environment": {"Variables": {"CALLBACK_BASE_URL": "https://example.com"}},
                "Code": {"ZipFile": CODE},
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Role": f"arn:aws:iam::{ACCOUNT}:role/any",
            },
        },
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": "api", "ProtocolType": "HTTP"},
        },
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        },
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": "POST /callbacks/sms/{reference}/{intent_id}",
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
            },
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        },
    },
    "Outputs": {OUTPUT: {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}}},
}
PATH = "/callbacks/sms/cmVm_-/aWQ"


class Answer(NamedTuple):
    """A response: its status, and its JSON."""

    status: int
    content: Any


@pytest.fixture(scope="module")
def aws(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Aws:
    """Add an HTTP API to the embedded AWS, deployed as the local cloud deploys one."""
    template = _deployable(tmp_path_factory.mktemp("assembly"), callback_base_url(aws.endpoint))

    def status() -> str:
        return aws.cloudformation.describe_stacks(StackName="api")["Stacks"][0]["StackStatus"]

    aws.cloudformation.create_stack(StackName="api", TemplateBody=json.dumps(template))
    assert wait_for(lambda: status() == "CREATE_COMPLETE", 30), status()
    return aws


def _deployable(directory: Path, url: str | None, **function: object) -> dict[str, Any]:
    """Return the template as the local cloud changes it."""
    template = json.loads(json.dumps(TEMPLATE))
    template["Resources"]["Function"]["Properties"] |= function
    assembly = directory / "assembly"
    (assembly / "asset.1").mkdir(parents=True)
    (assembly / "manifest.json").write_text("{}", "utf-8")
    (assembly / "asset.1" / "index.py").write_text(CODE, "utf-8")
    (assembly / "Api.template.json").write_text(json.dumps(template), "utf-8")
    for _ in range(2):  # what an earlier run has left is replaced
        copy = with_callback_url(assembly, directory / "copy", url, {})
    assert ["{}", CODE] == [
        (copy / name).read_text("utf-8") for name in ("manifest.json", "asset.1/index.py")
    ]
    changed: dict[str, Any] = json.loads((copy / "Api.template.json").read_text("utf-8"))
    return changed


def _request(
    aws: Aws, path: str = PATH, *, method: str = "POST", data: bytes | None = b"a=1", **headers: str
) -> Answer:
    url = f"{callback_base_url(aws.endpoint)}{path}"
    request = urllib.request.Request(url, data, FORM | headers, method=method)  # noqa: S310 - http
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=60) as response:
            return Answer(response.status, json.load(response))
    except urllib.error.HTTPError as error:
        with error:
            content = error.read()
            return Answer(error.code, json.loads(content) if content else None)


def _invocations(aws: Aws) -> int:
    events = aws.logs.filter_log_events(logGroupName="/aws/lambda/echo")["events"]
    return sum("START" in event["message"] for event in events)


def test_a_form_is_passed_on_as_by_api_gateway(aws: Aws) -> None:
    """The form is encoded in base64, the query as it was sent, and headers are in lower case."""
    form, signature = b"To=%2B1&Body=&A=%C3%A9", "c2lnbmF0dXJl+/="
    given = {"X-Twilio-Signature": signature}
    event = _request(aws, f"{PATH}?x=1&y=&z=%20+", data=form, **given).content
    assert ("2.0", PATH, "x=1&y=&z=%20+") == (
        event["version"],
        event["rawPath"],
        event["rawQueryString"],
    )
    assert (True, form) == (event["isBase64Encoded"], b64decode(event["body"]))
    assert signature == event["headers"]["x-twilio-signature"]
    assert {"reference": "cmVm_-", "intent_id": "aWQ"} == event["pathParameters"]
    assert "POST" == event["requestContext"]["http"]["method"]


@pytest.mark.parametrize(
    ("data", "content_type", "body"),
    [
        (b'{"a": 1}', "application/json", (False, '{"a": 1}')),
        (b"abc", "text/plain", (False, "abc")),
        (b"abc", "application/octet-stream", (True, "YWJj")),
        (b"", "application/x-www-form-urlencoded", (False, None)),
    ],
)
def test_other_bodies(
    aws: Aws, data: bytes, content_type: str, body: tuple[bool, str | None]
) -> None:
    """Text and JSON are not encoded; of an empty body there is nothing in the event."""
    event = _request(aws, data=data, **{"Content-Type": content_type}).content
    assert body == (event["isBase64Encoded"], event.get("body"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, PATH) for method in ("GET", "HEAD", "OPTIONS")),
        *(("POST", path) for path in (f"{PATH}/", "/callbacks/x/y/z")),
        ("POST", "/callbacks/sms/a%2Fb/aWQ"),
    ],
)
def test_other_routes_are_unknown(aws: Aws, method: str, path: str) -> None:
    """Another method or path is answered 404 without an invocation."""
    assert 200 == _request(aws).status
    before = _invocations(aws)
    answer = _request(aws, path, method=method, data=None if method != "POST" else b"a=1")
    expected = None if method == "HEAD" else {"message": "Not Found"}
    assert (404, expected) == answer
    assert 0 < before == _invocations(aws)


@pytest.mark.parametrize(
    ("url", "handler", "expected"),
    [
        ("http://127.0.0.1:1/x", "lambda_src.index.lambda_handler", "http://127.0.0.1:1/x"),
        (None, "lambda_src.index.lambda_handler", None),
        (None, RECEIVER_HANDLER, "https://example.com"),
    ],
)
def test_functions_get_the_url(
    tmp_path: Path, url: str | None, handler: str, expected: str | None
) -> None:
    """Functions get the URL, which the stack shows; without one, no callbacks are requested."""
    template = _deployable(tmp_path, url, Handler=handler)
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert expected == variables.get("CALLBACK_BASE_URL")
    own_url = TEMPLATE["Outputs"][OUTPUT]["Value"]
    assert (url or own_url) == template["Outputs"][OUTPUT]["Value"]
