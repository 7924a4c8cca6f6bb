"""The checks of a draft: what its texts must and must not contain.

A problem may quote the draft; it is for the AI and the operator, never for the log.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from lambda_src.core.drafts.facts import KnownFacts, leaf_texts, visible
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    ContextObject,
)

MAX_PROBLEMS = 20
"""Problems of one check that are named to the AI and the operator."""
MAX_QUOTE_LENGTH = 200
PASSAGE_WORDS = 8
"""Consecutive words of the instructions that a draft must not repeat."""
COMPANY_NAME = "{company_name}"
"""Stands for the company's name in a phrase of `must_say`."""

_MARKUP = re.compile(r"<[A-Za-z!/][^<>]*>|\]\(|```|&(?:#\d+|[a-z]{2,8});", re.IGNORECASE)
# In the ten languages of the locale data; other texts that address the AI are data like any other.
_ADDRESSES_AI = re.compile(
    r"(?:ignor|disregard|forget|overrid|vergiss|missacht|oubli|dimentic|olvid|esque|zapomnij"
    r"|zignoruj|negeer|vergeet).{0,80}?(?:instruct|prompt|rule|anweisung|consigne|istruzion"
    r"|instruc|instruç|regel|instrukcj|zasad)|(?:指示|命令).{0,20}無視|system prompt"
    r"|(?:reveal|show|print|repeat).{0,20}(?:instructions|prompt)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: Its key in the definition.
        problems: Each completes "the draft …"; none: it passed.
    """

    name: str
    problems: tuple[str, ...] = field(default=(), repr=False)


def check_texts(
    answer: Answer, context: ContextObject, definition: AssistantDefinition
) -> list[CheckResult]:
    """Return the results of the checks that need no request.

    Args:
        answer: The draft; its text, or the values of its variables, are checked.
        context: The message's subject.
        definition: The assistant; one of its checks that is not set has no result.
    """
    rules = definition.checks
    texts = [answer.text] if answer.text else list(answer.variables.values())
    said = comparable("\n".join(texts))
    results = [_result("injection", _signs_of_injection(texts, said, definition.instructions))]
    if rules.must_say:
        phrases = (phrase.replace(COMPANY_NAME, context.company_name) for phrase in rules.must_say)
        missing = (phrase for phrase in phrases if comparable(phrase) not in said)
        results.append(_result("must_say", (f"does not say {_quote(one)}" for one in missing)))
    if rules.must_not_say:
        said_texts = [comparable(text) for text in texts]
        found = (
            phrase
            for phrase in rules.must_not_say
            if any(comparable(phrase) in text for text in said_texts)
        )
        results.append(_result("must_not_say", (f"says {_quote(phrase)}" for phrase in found)))
    if rules.facts_only:
        known = _known_facts(context, definition)
        facts = (fact for text in texts for fact in known.unsupported(text))
        problems = (
            f"has the {fact.kind} {_quote(fact.text)}, which is not in the input" for fact in facts
        )
        results.append(_result("facts_only", problems))
    return results


def moderation_result(categories: tuple[str, ...]) -> CheckResult:
    """Return the result of OpenAI's moderation, which flagged a draft for these categories."""
    return _result("moderation", (f"was flagged as {category}" for category in categories))


def _known_facts(context: ContextObject, definition: AssistantDefinition) -> KnownFacts:
    """Return the facts of all texts that the AI was given, which a draft may state.

    They are the subject, the names, the company's fields and address, its guidance, and the
    assistant's instructions with the descriptions of its variables. A text of the subject that
    addresses the AI is not data, so that its facts do not count.
    """
    descriptions = [variable.description for variable in definition.variables.values()]
    own = (definition.instructions, *definition.checks.must_say, *descriptions)
    data = list(leaf_texts(context.prompt_context))
    if _ADDRESSES_AI.search("\n".join(data)):
        data = [text for text in data if not _ADDRESSES_AI.search(text)]
    return KnownFacts.of(data, (*own, context.guidance, context.sender))


def _signs_of_injection(texts: Sequence[str], said: str, instructions: str) -> Iterator[str]:
    if any(_MARKUP.search(text) for text in texts):
        yield "contains markup"
    if not _passages_once(instructions).isdisjoint(_passages(said)):
        yield "repeats its instructions"


def _passages(text: str) -> Iterator[tuple[str, ...]]:
    words = text.split()
    return zip(*(words[at:] for at in range(PASSAGE_WORDS)), strict=False)


@lru_cache(maxsize=100)
def _passages_once(instructions: str) -> frozenset[tuple[str, ...]]:
    """Return the passages of instructions, which are the same for many messages."""
    return frozenset(_passages(comparable(instructions)))


def comparable(text: str) -> str:
    """Return a text as phrases are compared: without case, spacing and what is not visible."""
    return " ".join(visible(text).casefold().split())


def _result(name: str, problems: Iterator[str]) -> CheckResult:
    return CheckResult(name, tuple(islice(problems, MAX_PROBLEMS)))


def _quote(text: str) -> str:
    shortened = text if len(text) <= MAX_QUOTE_LENGTH else f"{text[:MAX_QUOTE_LENGTH]}…"
    return json.dumps(shortened, ensure_ascii=False)
