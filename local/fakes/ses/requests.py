"""Validation of a request to send an e-mail, with the checks that SES makes before it responds."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from functools import cache
from typing import Any

from botocore.model import Shape
from botocore.session import get_session
from botocore.validate import ParamValidator

from local.fakes.ses.errors import SesError

REGION, ACCOUNT = "eu-west-1", "123456789012"
SUPPORTED = frozenset(
    {"FromEmailAddress", "Destination", "ReplyToAddresses", "Content", "EmailTags"}
    | {"ConfigurationSetName", "TenantName"}
)
"""The parameters that the fake implements and needs; it rejects others."""
MAX_TAGS, MAX_HEADERS = 50, 15

_ADDRESS = re.compile(r"[!-?A-~]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")
_HEADER_NAME, _HEADER_VALUE = re.compile(r"[!-9;-~]{1,126}"), re.compile(r"[ -~]{1,995}")
_OWN_HEADERS = {"from", "to", "cc", "bcc", "subject", "reply-to", "content-type", "date"}
_TAG_NAME = re.compile(r"(?!ses:)[A-Za-z0-9_-]{1,256}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Email:
    """A valid request.

    Attributes:
        source: The sender as given, possibly with a name.
        sender: The sender's bare address.
        recipient: The only recipient.
        subject: The subject.
        text: The plain text.
        html: The HTML.
        headers: The additional headers.
        tags: The message tags.
        identity: The identity with which the sender was verified.
        configuration_set: The configuration set.
        tenant: The tenant.
    """

    source: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    headers: Mapping[str, str]
    tags: Mapping[str, str]
    identity: str
    configuration_set: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Account:
    """The resources of an account: all tenants are associated with all configuration sets.

    Attributes:
        tenants: The identities (domains or addresses) of each tenant by its name.
        configuration_sets: Names of configuration sets.
    """

    tenants: Mapping[str, Collection[str]]
    configuration_sets: Collection[str]

    def identity_of(self, address: str, tenant: str) -> str:
        """Return the identity that permits a tenant to send from an address.

        Raises:
            SesError: There is no such tenant, no such identity, or it is another tenant's.
        """
        if tenant not in self.tenants:
            text = f"Tenant {tenant} for AwsAccountId {ACCOUNT} not found."
            raise SesError("NotFoundException", text)
        domain = address.rpartition("@")[2].split(".")
        candidates = [address, *(".".join(domain[start:]) for start in range(len(domain)))]
        known = {identity for identities in self.tenants.values() for identity in identities}
        identity = next((candidate for candidate in candidates if candidate in known), None)
        if identity is None:
            raise SesError(
                "MessageRejected",
                "Email address is not verified. The following identities failed the check in"
                f" region {REGION.upper()}: {address}",
            )
        if identity not in self.tenants[tenant]:
            arn = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{identity}"
            raise SesError(
                "AccessDeniedException", f"Tenant not associated with resources [{arn}]."
            )
        return identity


def parse_send_request(body: Any, account: Account) -> Email:
    """Return the e-mail that SES would accept.

    Raises:
        SesError: SES rejects it, or the fake does not implement one of its parameters.
    """
    report = ParamValidator().validate(body, _input_shape())
    if report.has_errors() or not isinstance(body, dict):
        raise SesError("BadRequestException", report.generate_report())
    _require(body.keys() >= SUPPORTED, f"the fake needs {', '.join(sorted(SUPPORTED))}")
    _require(body.keys() <= SUPPORTED, f"the fake implements {', '.join(sorted(SUPPORTED))} only")
    _require(bool(_TENANT.fullmatch(body["TenantName"])), "TenantName is not valid")
    content, destination = body["Content"], body["Destination"]
    recipients = destination.get("ToAddresses", [])
    _require(content.keys() == {"Simple"}, "the fake implements simple content only")
    _require(destination.keys() == {"ToAddresses"} and len(recipients) == 1, "one recipient only")
    source = body["FromEmailAddress"]
    _require(source.isascii(), "From: a name outside of ASCII is encoded by RFC 2047")
    sender = parseaddr(source)[1].lower()
    for address in (sender, *recipients, *body["ReplyToAddresses"]):
        _require(bool(_ADDRESS.fullmatch(address)), "an address is not valid")
    if body["ConfigurationSetName"] not in account.configuration_sets:
        text = f"Configuration set <{body['ConfigurationSetName']}> does not exist."
        raise SesError("NotFoundException", text)
    simple = content["Simple"]
    _require("\n" not in simple["Subject"]["Data"], "the subject has several lines")
    _require(simple.keys() <= {"Subject", "Body", "Headers"}, "the fake has no attachments")
    return Email(
        source=source,
        sender=sender,
        recipient=recipients[0],
        subject=_text(simple["Subject"]),
        text=_text(simple["Body"].get("Text", {"Data": ""})),
        html=_text(simple["Body"].get("Html", {"Data": ""})),
        headers=_headers(simple.get("Headers", [])),
        tags=_tags(body["EmailTags"]),
        identity=account.identity_of(sender, body["TenantName"]),
        configuration_set=body["ConfigurationSetName"],
        tenant=body["TenantName"],
    )


def _text(content: Mapping[str, str]) -> str:
    text = content["Data"]
    is_encodable = text.isascii() or content.get("Charset") == "UTF-8"
    _require(bool(text.strip()) and is_encodable, "a text is empty or without a character set")
    return text


def _headers(headers: list[dict[str, str]]) -> dict[str, str]:
    found = {header["Name"]: header["Value"] for header in headers}
    _require(len({name.lower() for name in found}) == len(headers) <= MAX_HEADERS, "too many")
    for name, value in found.items():
        is_valid = _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
        _require(bool(is_valid) and name.lower() not in _OWN_HEADERS, "a header is not valid")
    return found


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    found = {tag["Name"]: tag["Value"] for tag in tags}
    _require(len(found) == len(tags) <= MAX_TAGS, "too many tags, or one twice")
    for name, value in found.items():
        is_valid = _TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value)
        _require(bool(is_valid), "a tag is not valid")
    return found


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise SesError("BadRequestException", message)


@cache
def _input_shape() -> Shape:
    service: Any = get_session().get_service_model("sesv2")
    shape: Shape = service.operation_model("SendEmail").input_shape
    return shape
