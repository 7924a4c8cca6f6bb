"""A strict fake of Amazon SNS's Publish on loopback, for the page's channel of an AWS service."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, abort, request
from werkzeug.wrappers import Response

from lambda_src.core import Clock
from local.fakes import FakeService, Fault

TOPICS = "arn:aws:sns:eu-central-1:111122223333:notice-"
_PUBLISH = {
    "Action": "Publish",
    "Version": "2010-03-31",
    "TopicArn": re.escape(TOPICS) + "demo-company-[a-z0-9]+",
    "Subject": "[^\x00-\x1f\x7f]{1,99}",
    "Message": r"(?s).*\S.*",
}
"""The parameters of a request, each with the pattern of its value."""
_SIGNATURE = re.compile(r"AWS4-HMAC-SHA256 Credential=\w+/\d{8}/[a-z0-9-]+/sns/aws4_request, .+")


class AmazonSnsVendor(FakeService[None]):
    """The fake as the channel's vendor; without a tenant's secret."""

    secret: Mapping[str, str] = {}

    def __init__(self, clock: Clock) -> None:  # noqa: ARG002 - the vendor shows no times
        self._accepted: dict[str, dict[str, str]] = {}
        self._ids = itertools.count(1)
        application = Flask("sns", static_folder=None)
        application.post("/")(self._publish)
        super().__init__(application, settings=None, named_faults={})

    def environment(self) -> Mapping[str, str]:
        """Return the variables that direct the sender to the fake."""
        return {"AWS_ENDPOINT_URL_SNS": self.base_url, "NOTICE_TOPICS": TOPICS}

    def accepted_ids(self) -> Sequence[str]:
        """Return the ids of the accepted messages, oldest first."""
        return list(self._accepted)

    def clear_state(self) -> None:
        """Remove all messages."""
        self._accepted.clear()

    def state(self) -> dict[str, Any]:
        """Return the accepted messages by id."""
        return dict(self._accepted)

    def error_response(self, fault: Fault) -> Response:
        """Return SNS's answer with an error code."""
        error = f"<Type>Sender</Type><Code>{fault.code}</Code><Message/>"
        answer = f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"
        return Response(answer, fault.status, content_type="text/xml")

    def lose_next_response(self, *, accepted: bool) -> None:
        """Reset the connection of the next send, after it was accepted or instead of that."""
        self.fail_next(Fault.reset(effect_applied=accepted))

    def reject_next_send(self) -> None:
        """Reject the next send permanently: there is no such topic."""
        self.fail_next(Fault.error(404, "NotFound"))

    def rate_limit_next_send(self) -> None:
        """Reject the next send because there are too many."""
        self.fail_next(Fault.error(429, "Throttled"))

    def _publish(self) -> Response:
        given = request.form.to_dict()
        is_valid = given.keys() == _PUBLISH.keys() and all(
            re.fullmatch(pattern, given[name]) for name, pattern in _PUBLISH.items()
        )
        if not is_valid or not _SIGNATURE.fullmatch(request.headers.get("Authorization", "")):
            abort(self.error_response(Fault.error(400, "InvalidParameter")))
        id_ = f"00000000-0000-0000-0000-{next(self._ids):012}"
        self._accepted[id_] = given
        result = f"<PublishResult><MessageId>{id_}</MessageId></PublishResult>"
        return Response(f"<PublishResponse>{result}</PublishResponse>", content_type="text/xml")


make_vendor = AmazonSnsVendor
