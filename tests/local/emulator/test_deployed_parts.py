"""What the local cloud does on its embedded AWS: send to the queue, fill the secrets."""

import uuid

from local.aws import Aws
from local.channel import Channel, Resources
from local.contexts import EXAMPLE
from local.vendors import CREDENTIALS, Credentials, store_secrets


def test_a_company_is_a_message_group(embedded_aws: Aws) -> None:
    """A context object is sent in its company's group; a body without a company has none."""
    url = embedded_aws.sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
    names = dict.fromkeys(Resources.__annotations__, "") | {"queue_url": url}
    channel = Channel(embedded_aws, Resources(**names))
    body = EXAMPLE.read_text("utf-8")

    channel.send(body)
    channel.send("no context object")

    received = embedded_aws.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
    )["Messages"]
    groups = {each["Body"]: each.get("Attributes", {}).get("MessageGroupId") for each in received}
    assert {body: "demo-company", "no context object": None} == groups


def test_the_secrets_of_the_examples_are_created(embedded_aws: Aws) -> None:
    """The secrets of the examples' tenants are filled, deployed or not; others are unchanged."""
    secrets, prefix = embedded_aws.secretsmanager, CREDENTIALS[0]
    secrets.create_secret(Name="other", SecretString="unchanged")
    secrets.create_secret(Name=f"{prefix}listed", SecretString="placeholder")
    credentials = Credentials("key", "account", "token", "template")
    for _ in range(2):  # the second time, all of them exist
        store_secrets(embedded_aws, credentials)
    tenants = ("listed", "demo-company", "demo-company-free-text")
    stored = [
        secrets.get_secret_value(SecretId=name)["SecretString"]
        for name in ("other", *(f"{prefix}{tenant}" for tenant in tenants))
    ]
    with_template = credentials.twilio_secret
    without = Credentials("key", "account", "token").twilio_secret
    assert ["unchanged", with_template, with_template, without] == stored
