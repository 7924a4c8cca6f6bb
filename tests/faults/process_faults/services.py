"""AWS, OpenAI and Twilio as the workers meet them, in the driver's own process."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.dynamodb.models import dynamodb_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Response

from local.fakes import FakeOpenAI, FakeService, FakeTwilio, OpenAISettings, TwilioSettings
from local.fakes import Fault as VendorFault
from local.fakes.server import rewind
from tests.faults.process_faults.calls import AWS_SERVICES, CallName, Fault, service_of
from tests.faults.process_faults.clock import SharedTime
from tests.support.channel import ACCOUNT, API_KEY, MODEL, TEMPLATE, TOKEN

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from botocore.awsrequest import HTTPHeaders
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

REGION = "eu-west-1"
AWS_ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Services:
    """AWS, OpenAI and Twilio, one of each per driver.

    Attributes:
        clock: The time of SQS and Twilio.
        openai: The fake OpenAI.
        twilio: The fake Twilio.
        aws_lock: Held while AWS answers, so that its effects have an order.
    """

    clock: SharedTime
    openai: FakeOpenAI
    twilio: FakeTwilio
    aws_lock: Lock
    _aws: Mapping[str, "WSGIApplication"]

    @property
    def vendors(self) -> Mapping[str, FakeService[Any]]:
        """The fakes by their service's name."""
        return {"openai": self.openai, "twilio": self.twilio}

    def answer(self, service: str, environ: dict[str, Any]) -> Response:
        """Let a service answer a request; AWS only under the lock."""
        is_vendor = service in self.vendors
        application = self.vendors[service].application if is_vendor else self._aws[service]
        rewind(environ)
        return Response.from_app(application, environ, buffered=True)

    def error(self, call: CallName, fault: Fault) -> Response:
        """Return the answer of a service that fails with one of the faults in `ERRORS`."""
        if call.service in self.vendors:
            return self.vendors[call.service].error_response(_VENDORS[call.service][fault])
        status, kind = _AWS[call.service][fault]
        answer = json.dumps({"__type": kind, "message": "injected"})
        return Response(answer, status, content_type="application/x-amz-json-1.0")

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """The driver's own client, answered without a socket."""
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def sqs(self) -> "SQSClient":
        """The driver's own client, answered without a socket."""
        return cast("SQSClient", self._client("sqs"))

    @cached_property
    def secretsmanager(self) -> "SecretsManagerClient":
        """The driver's own client, answered without a socket."""
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    def item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return an item in DynamoDB's JSON; to be called under the lock."""
        found = dynamodb_backends[AWS_ACCOUNT][REGION].get_item(table, dict(key))
        return found.to_json()["Attributes"] if found else None

    def reset(self) -> None:
        """Forget everything."""
        moto_api_backend.reset()
        self.openai.reset()
        self.openai.settings = OpenAISettings()
        self.twilio.reset()
        self.twilio.settings = TwilioSettings()

    def _client(self, service: str) -> Any:
        client: Any = boto3.client(
            service,  # type: ignore[call-overload]  # the stubs know literal names only
            region_name=REGION,
            aws_access_key_id="made-up",
            aws_secret_access_key="made-up",
        )
        # A handler of this event may answer, which the hooks' types do not know.
        client.meta.events.register("before-send", cast("Callable[..., None]", self._send))
        return client

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        builder = EnvironBuilder(
            "/", method=request.method, headers=Headers(headers), data=cast("bytes", request.body)
        )
        with self.aws_lock:
            response = Client(self._aws[service_of(headers["X-Amz-Target"])]).open(builder)
        body = _Body(response.get_data())
        answered_with = cast("HTTPHeaders", dict(response.headers))
        return AWSResponse(request.url, response.status_code, answered_with, body)


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield the body in one piece."""
        yield self._content


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def services(clock: SharedTime) -> Iterator[Services]:
    """Yield all services; AWS is left empty."""
    templates = {TEMPLATE: "Hello {{1}}! {{2}} Reply STOP to opt out."}
    openai = FakeOpenAI(keys={API_KEY}, models={MODEL})
    twilio = FakeTwilio(accounts={ACCOUNT: TOKEN}, templates=templates, clock=lambda: clock.now)
    with (
        patch("moto.sqs.models.unix_time", lambda: clock.now),
        patch("moto.sqs.models.unix_time_millis", lambda: clock.now * 1000),
    ):
        aws: dict[str, WSGIApplication] = {
            name: cast("WSGIApplication", create_backend_app(name)) for name in AWS_SERVICES
        }
        yield Services(clock, openai, twilio, Lock(), aws)
        moto_api_backend.reset()


# Common errors of each service, as (HTTP status, error):
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
_AWS: Mapping[str, Mapping[Fault, tuple[int, str]]] = MappingProxyType(
    {
        "sqs": {
            Fault.SERVER_ERROR: (500, "com.amazonaws.sqs#InternalFailure"),
            Fault.REFUSED: (403, "com.amazonaws.sqs#AccessDeniedException"),
            Fault.THROTTLED: (403, "com.amazonaws.sqs#RequestThrottled"),
        },
        "dynamodb": {
            Fault.SERVER_ERROR: (500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
            Fault.REFUSED: (400, "com.amazon.coral.service#AccessDeniedException"),
            Fault.THROTTLED: (400, "com.amazon.coral.availability#ThrottlingException"),
        },
        "secretsmanager": {
            Fault.SERVER_ERROR: (500, "InternalServiceError"),
            Fault.REFUSED: (400, "AccessDeniedException"),
            Fault.THROTTLED: (400, "ThrottlingException"),
        },
    }
)
_OPENAI = {
    Fault.SERVER_ERROR: VendorFault.error(500, "server_error"),
    Fault.ERROR_YET_DONE: VendorFault.error(500, "server_error"),
    Fault.REFUSED: VendorFault.error(400, "context_length_exceeded"),
    Fault.CREDENTIALS: VendorFault.error(401, "invalid_api_key"),
    Fault.THROTTLED: VendorFault.error(429, "rate_limit_exceeded", retry_after=20),
}
_TWILIO = {
    Fault.SERVER_ERROR: VendorFault.error(500, 20500),
    Fault.ERROR_YET_DONE: VendorFault.error(500, 20500),
    Fault.REFUSED: VendorFault.error(400, 21610),
    Fault.CREDENTIALS: VendorFault.error(401, 20003),
    Fault.THROTTLED: VendorFault.error(429, 20429),
}
_VENDORS = {"openai": _OPENAI, "twilio": _TWILIO}
