"""The services' own error answers, in their own words."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from werkzeug.wrappers import Response

from local.stand_ins import Fault as VendorFault
from local.stand_ins import StandIn
from tests.faults.grid.calls import CallName
from tests.faults.grid.faults import Fault

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


def error_answer(call: CallName, fault: Fault, vendors: Mapping[str, StandIn[Any]]) -> Response:
    """The answer of a service that fails so.

    Args:
        call: What was asked of whom.
        fault: One of the faults that a service answers with.
        vendors: The vendors' stand-ins, which know their vendors' form of an error.
    """
    if call.service in vendors:
        return vendors[call.service].error_answer(_VENDORS[call.service][fault])
    status, kind = _AWS[call.service][fault]
    answer = json.dumps({"__type": kind, "message": "by order"})
    return Response(answer, status, content_type="application/x-amz-json-1.0")
