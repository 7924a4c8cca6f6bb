"""Faults in whose secrets are whose."""

import copy
from dataclasses import replace

from aws_cdk import aws_iam as iam

from stacks.names import ChannelNames
from stacks.processor import Processor
from tests.infra.invariants.bench import PUSH, Bench
from tests.infra.invariants.fault import fault
from tests.infra.invariants.templates import Templates, put

FUNCTION = "AWS::Lambda::Function"
PREFIXES = "Environment.Variables.SECRET_PREFIXES"
READ = "secretsmanager:GetSecretValue"


def _shared(bench: Bench) -> Processor:
    queue = bench.queue()
    secrets = bench.secrets(ChannelNames(PUSH, bench.environment()))
    bench.processor(queue=queue, secrets=secrets)
    other = replace(PUSH, name="pull", display="Pull")
    return bench.processor(queue=queue, secrets=secrets, channel=other)


def _second_channel(templates: Templates, prefixes: str) -> None:
    resources = templates.bodies["WhatsApp"]["Resources"]
    for name in ("ProcessorFunction5B2A90E2", "ProcessorRole00D2607C"):
        resources[f"Sms{name}"] = copy.deepcopy(resources[name])
    policy = copy.deepcopy(resources["ProcessorRoleDefaultPolicy51E6C1DA"])
    resources["SmsPolicy"] = policy
    policy["Properties"]["Roles"] = [{"Ref": "SmsProcessorRole00D2607C"}]
    function = resources["SmsProcessorFunction5B2A90E2"]["Properties"]
    function["Role"] = {"Fn::GetAtt": ["SmsProcessorRole00D2607C", "Arn"]}
    function["Environment"]["Variables"]["SECRET_PREFIXES"] = prefixes


def _read_more(bench: Bench, resource: str) -> None:
    statement = iam.PolicyStatement(actions=[READ], resources=[resource])
    bench.processor().function.add_to_role_policy(statement)


def _grant_all(templates: Templates) -> None:
    policy = templates.one("AWS::IAM::Policy")["Properties"]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"})


def _grant_none(templates: Templates) -> None:
    policy = templates.one("AWS::IAM::Policy")["Properties"]["PolicyDocument"]
    policy["Statement"] = [each for each in policy["Statement"] if READ not in each["Action"]]


FAULTS = (
    fault(
        "prefix of another channel",
        "secrets-have-one-owner",
        by_code=_shared,
        by_override=lambda templates: _second_channel(
            templates,
            "ai-multi-comms/dev/openai-api-key/whatsapp,ai-multi-comms/dev/whatsapp-credentials/",
        ),
    ),
    fault(
        "prefix above another channel's",
        "secrets-have-one-owner",
        "secrets-match-the-role",
        by_code=lambda bench: _shared(bench).function.add_environment(
            "SECRET_PREFIXES", "ai-multi-comms"
        ),
        by_override=lambda templates: _second_channel(templates, "ai-multi-comms"),
    ),
    fault(
        "role that may not read its secrets",
        "secrets-match-the-role",
        by_code=lambda bench: bench.processor(grant=False),
        by_override=_grant_none,
    ),
    fault(
        "role that may read every secret",
        "secrets-match-the-role",
        by_code=lambda bench: _read_more(bench, "*"),
        by_override=_grant_all,
    ),
    fault(
        "prefix that the role does not know",
        "secrets-match-the-role",
        by_code=lambda bench: bench.processor().function.add_environment(
            "SECRET_PREFIXES", "ai-multi-comms/other/"
        ),
        by_override=put(FUNCTION, PREFIXES, "ai-multi-comms/dev/whatsapp-credentials/"),
    ),
)
