"""Secrets: each channel its own, and the role may read exactly those."""

from collections.abc import Iterator, Mapping
from itertools import permutations

from lambda_src.core.contract import Variable
from stacks.invariants.assembly import Assembly, NotPlain, Resource
from stacks.invariants.consumer import DEPLOYED, Function, functions
from stacks.invariants.invariant import Finding, invariant
from stacks.invariants.policies import as_list, covers, policies_of
from stacks.secret_patterns import readable

PREFIXES = "Environment.Variables.SECRET_PREFIXES"
READ = "secretsmanager:GetSecretValue"


@invariant(
    "secrets-have-one-owner",
    holds="No secret lies within the prefixes of two channels.",
    remedy="Name the prefixes by the channel, as `ChannelNames` does, none of them above another.",
)
def secrets_have_one_owner(assembly: Assembly) -> Iterator[Finding]:
    """A channel that reads another's secrets sends with another's keys."""
    for function, other in permutations(_owners(assembly), 2):
        for prefix in _prefixes(function):
            for taken in _prefixes(other):
                if _is_above(prefix, taken):
                    problem = f"holds {prefix!r}, and {other.resource.logical_id} owns {taken!r}"
                    yield Finding(function.resource, PREFIXES, problem)


@invariant(
    "secrets-match-the-role",
    holds="A function's role may read the secrets within its prefixes, and no others.",
    remedy="Grant the role what `ChannelSecrets.grant_read` grants, for the same prefixes.",
)
def secrets_match_the_role(assembly: Assembly) -> Iterator[Finding]:
    """What the runtime takes for its own and what it may read are said in two places."""
    for function in _owners(assembly):
        expected = {each for prefix in _prefixes(function) for each in readable(prefix)}
        allowed = set(_allowed(assembly, function.resource))
        for pattern in sorted(expected - allowed):
            yield Finding(function.resource, PREFIXES, f"needs {pattern!r}, which no grant allows")
        for pattern in sorted(allowed - expected):
            yield Finding(function.resource, PREFIXES, f"lacks {pattern!r}, which a grant allows")


def _owners(assembly: Assembly) -> list[Function]:
    """Return the functions that say which secrets are theirs, and would start with it."""
    return [
        function
        for function in functions(assembly)
        if function.settings and Variable.SECRET_PREFIXES in function.variables
    ]


def _prefixes(function: Function) -> tuple[str, ...]:
    if function.variables[Variable.SECRET_PREFIXES] == DEPLOYED:
        raise NotPlain(function.resource, PREFIXES, "written out")
    return function.settings.secret_prefixes if function.settings else ()


def _is_above(prefix: str, other: str) -> bool:
    root, below = prefix.rstrip("/"), other.rstrip("/")
    return root == below or below.startswith(f"{root}/")


def _allowed(assembly: Assembly, function: Resource) -> Iterator[str]:
    """Yield the names of secrets, as patterns, that a function's role may read."""
    role = assembly.referred(function.template, function.value("Role"), "AWS::IAM::Role")
    if role is None:
        return
    statements = policies_of(assembly, role, "AWS::IAM::Policy", "Roles")
    statements += policies_of(assembly, role, "AWS::IAM::ManagedPolicy", "Roles")
    for inline in role.value("Policies", []):
        statements += inline["PolicyDocument"]["Statement"]
    for statement in statements:
        if statement["Effect"] == "Allow" and covers(statement, READ):
            for arn in as_list(statement["Resource"]):
                yield _text(arn).rpartition(":secret:")[2]


def _text(arn: object) -> str:
    """Return an ARN as text, what is only known at deployment left out."""
    if isinstance(arn, Mapping):
        _, parts = arn.get("Fn::Join", ("", [f"<{arn}>"]))
        return "".join(part if isinstance(part, str) else "" for part in parts)
    return str(arn)
