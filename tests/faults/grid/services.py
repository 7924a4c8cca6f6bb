"""The world beyond the workers: AWS and the vendors, in the driver's own process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from moto.dynamodb.models import dynamodb_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Response

from local.stand_ins import OpenAISettings, OpenAIStandIn, StandIn, TwilioSettings, TwilioStandIn
from local.stand_ins.faulty_application import rewind
from tests.faults.grid.calls import AWS_SERVICES, service_of
from tests.faults.grid.in_process import dynamodb_client
from tests.faults.grid.virtual_time import SharedTime
from tests.services.channel import ACCOUNT, API_KEY, MODEL, TEMPLATE, TOKEN

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "eu-west-1"
AWS_ACCOUNT = "123456789012"
_SIGNED = "AWS4-HMAC-SHA256 Credential=made-up/20260101/{}/{}/aws4_request, SignedHeaders=host"


class AwsError(Exception):
    """AWS refused a call of the driver's own: its error's type."""


@dataclass(frozen=True)
class Services:
    """AWS, OpenAI and Twilio, one of each for a driver.

    Attributes:
        time: The time that SQS and Twilio go by.
        openai: The stand-in for OpenAI.
        twilio: The stand-in for Twilio.
        aws_lock: Held while AWS is asked, so that its effects have an order.
    """

    time: SharedTime
    openai: OpenAIStandIn
    twilio: TwilioStandIn
    aws_lock: Lock
    _aws: Mapping[str, "WSGIApplication"]

    @property
    def vendors(self) -> Mapping[str, StandIn[Any]]:
        """The stand-ins by their service's name."""
        return {"openai": self.openai, "twilio": self.twilio}

    def answer(self, service: str, environ: dict[str, Any]) -> Response:
        """Let a service answer a request; AWS's under the lock only."""
        is_vendor = service in self.vendors
        application = self.vendors[service].application if is_vendor else self._aws[service]
        rewind(environ)
        return Response.from_app(application, environ, buffered=True)

    def aws(self, target: str, **parameters: object) -> dict[str, Any]:
        """Make a call of the driver's own to AWS.

        Args:
            target: The call, as in the header `X-Amz-Target`.
            parameters: Its parameters.

        Raises:
            AwsError: It is refused.
        """
        service = service_of(target)
        headers = {"X-Amz-Target": target, "Authorization": _SIGNED.format(REGION, service)}
        answer = self._asked("POST", headers, json.dumps(parameters).encode())
        content: dict[str, Any] = json.loads(answer.get_data() or "{}")
        if answer.status_code >= 400:
            raise AwsError(content.get("__type", str(answer.status_code)))
        return content

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """A client for whoever is neither a worker nor bound to one."""
        return dynamodb_client(REGION, self._asked)

    def _asked(self, method: str, headers: dict[str, Any], body: bytes) -> Response:
        builder = EnvironBuilder("/", method=method, headers=Headers(headers), data=body)
        application = self._aws[service_of(headers["X-Amz-Target"])]
        with self.aws_lock:
            return Client(application).open(builder)

    def item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """An item as it is stored; to be asked for under the lock."""
        found = dynamodb_backends[AWS_ACCOUNT][REGION].get_item(table, dict(key))
        return found.to_json()["Attributes"] if found else None

    def forget(self) -> None:
        """Be as good as new."""
        moto_api_backend.reset()
        self.openai.reset()
        self.openai.settings = OpenAISettings()
        self.twilio.reset()
        self.twilio.settings = TwilioSettings()


@contextmanager
def services(time: SharedTime) -> Iterator[Services]:
    """The world beyond the workers, while the context lasts; AWS is left empty."""
    templates = {TEMPLATE: "Hello {{1}}! {{2}} Reply STOP to opt out."}
    openai = OpenAIStandIn(keys={API_KEY}, models={MODEL})
    twilio = TwilioStandIn(accounts={ACCOUNT: TOKEN}, templates=templates, clock=lambda: time.now)
    with (
        patch("moto.sqs.models.unix_time", lambda: time.now),
        patch("moto.sqs.models.unix_time_millis", lambda: time.now * 1000),
    ):
        aws: dict[str, WSGIApplication] = {
            name: cast("WSGIApplication", create_backend_app(name)) for name in AWS_SERVICES
        }
        yield Services(time, openai, twilio, Lock(), aws)
        moto_api_backend.reset()
