"""The texts of an answer as the channel sends them: normalized, and within their lengths."""

import re
from collections.abc import Mapping
from dataclasses import replace

from lambda_src.core.contract import Step
from lambda_src.core.errors import InvalidAnswer
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    Limit,
    TextRules,
    VariableRule,
    first_violation,
)

# Includes lone surrogates: JSON may contain an escaped half of a character, UTF-8 may not.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Markers such as 【4:0†source】 of file search, and those of web search between private-use
# characters (https://platform.openai.com/docs/assistants/deep-dive#message-annotations).
# No part can begin again within itself: the time is linear, whatever the AI wrote.
_CITATION = re.compile(
    r"(?<![ \t])[ \t]*+(?:【[^【】†\n]*†[^【】\n]*】|\ue200[^\ue200\ue201\n]*\ue201)"
)
_CITATION_START = re.compile(r"【\d+(?::\d+)?†|[\ue200-\ue202]")
# Zero-width characters and overrides of the writing direction, by which a text can look like
# another one; joiners and the marks of mixed directions belong to emoji and scripts.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_WHITESPACE = re.compile(r"\s+")


def validate_output(
    answer: Answer, definition: AssistantDefinition | None, rules: TextRules
) -> Answer:
    """Normalize an answer's texts and check their lengths, before it is stored and sent.

    Args:
        answer: What the AI wrote.
        definition: What it was asked for.
        rules: The channel's rules.

    Raises:
        InvalidAnswer: A text is empty or too long, or the variables are not the definition's.
    """
    if definition and definition.variables:
        variables = _validated_variables(answer.variables, definition.variables, rules)
        return replace(answer, text="", variables=variables)
    body = _sendable(answer.text, rules).strip()
    if not body:
        raise _invalid("the text is empty")
    if violation := first_violation(("the text has", body, limit) for limit in rules.body):
        raise _invalid(violation)
    return replace(answer, text=body, variables={})


def _validated_variables(
    values: Mapping[str, str], definitions: Mapping[str, VariableRule], rules: TextRules
) -> dict[str, str]:
    if set(values) != set(definitions):
        raise _invalid(
            f"{len(definitions)} variables are defined, the answer does not name just these"
        )
    valid, checks = {}, []
    for name, rule in definitions.items():
        value = _sendable(values[name], rules)
        lines = value.split("\n") if rules.keeps_line_breaks else [value]
        valid[name] = "\n".join(_WHITESPACE.sub(" ", line).strip() for line in lines).strip()
        if not valid[name]:
            raise _invalid(f"variable {name} is empty")
        if rule.max_length:
            checks.append((f"variable {name} has", valid[name], Limit(rule.max_length)))
    joined = "".join(valid.values())
    checks += [("all variables have", joined, limit) for limit in rules.variables]
    if violation := first_violation(checks):
        raise _invalid(violation)
    return valid


def _sendable(text: str, rules: TextRules) -> str:
    without_citations = _without_citations(text.replace("\r\n", "\n"))
    visible = _INVISIBLE.sub("", without_citations)
    return rules.transliterate(_UNSENDABLE.sub(" ", visible))


def _without_citations(text: str) -> str:
    remaining = _CITATION.sub("", text)
    if _CITATION_START.search(remaining):
        raise _invalid("the text contains an incomplete citation marker")
    return remaining


def _invalid(detail: str) -> InvalidAnswer:
    return InvalidAnswer("ai_answer_unfit", Step.COMPOSE, detail)
