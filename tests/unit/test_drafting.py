"""From a claimed context object to an answer that is fit to be sent."""

from dataclasses import replace
from typing import Any

import pytest

from lambda_src.core.context import AssistantDefinition, ContextObject, Engine
from lambda_src.core.errors import (
    CredentialsRefused,
    PermanentFailure,
    Step,
    TransientFailure,
)
from lambda_src.core.message import Answer
from lambda_src.core.ports import Credentials
from lambda_src.core.timing import LEAST_AI_SECONDS
from tests.unit import contexts
from tests.unit.fakes.world import FIRST_CONTACT, TWILIO, World
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import CLAIM

CONTEXT = contexts.parse(contexts.valid())
INLINE = replace(FIRST_CONTACT, instructions="Write it inline.")
FREE_TEXT = AssistantDefinition("model-of-the-day", "Write.", {})


def asked_for(**changes: Any) -> ContextObject:
    """The context object, but for the changes."""
    return replace(CONTEXT, **changes)


def draft(
    world: World, context: ContextObject = CONTEXT, kept: Answer | None = None
) -> tuple[Credentials, Answer]:
    """Let the AI write."""
    return world.drafting.draft(context, kept, world.time_left, lambda: None)


def refuse_openai(world: World, times: int) -> None:
    """Let OpenAI refuse the key, that many times."""
    world.writer.fail(CredentialsRefused("openai_401", Step.AI), times)


def test_the_ai_writes_once(world: World) -> None:
    """One message is asked for, by the definition of the id, with the briefing and ids."""
    assert (TWILIO, ANSWER) == draft(world)
    [assignment] = world.writer.billed
    assert (Engine.RESPONSES, "first_contact") == (assignment.engine, assignment.assistant_id)
    assert (FIRST_CONTACT, CONTEXT.briefing) == (assignment.definition, assignment.briefing)
    expected = {"conversation_id": CLAIM.key.conversation_id, "request_id": "request-1"}
    assert expected == assignment.metadata


def test_what_is_written_is_fitted(world: World) -> None:
    """The answer is cleaned before anybody keeps it."""
    world.writer.answer = replace(ANSWER, variables={"1": " Amara\n", "2": "a\tb"})
    assert {"1": "Amara", "2": "a b"} == draft(world)[1].variables


def test_an_inline_definition_wins(world: World) -> None:
    """A context object's own definition goes before the file of the same id."""
    draft(world, asked_for(assistant=INLINE))
    assert INLINE == world.writer.billed[0].definition


def test_an_unknown_assistant_is_a_permanent_failure(world: World) -> None:
    """Without a definition the Responses engine has nothing to go by, and nobody is asked."""
    with pytest.raises(PermanentFailure) as unknown:
        draft(world, asked_for(assistant_id="nobody"))
    assert ("assistant_unknown", []) == (unknown.value.code, world.writer.billed)


def test_an_assistant_may_live_on_its_server(world: World) -> None:
    """The Assistants engine may know the id by itself; it then writes free text."""
    world.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = replace(
        TWILIO, template_sid=None
    )
    world.writer.answer = replace(ANSWER, text="Hello", variables={})
    context = asked_for(assistant_id="asst_1", engine=Engine.ASSISTANTS)
    assert "Hello" == draft(world, context)[1].text
    assert world.writer.billed[0].definition is None


@pytest.mark.parametrize(
    ("template_sid", "definition"), [(None, FIRST_CONTACT), ("HX1", FREE_TEXT)]
)
@pytest.mark.parametrize("kept", [False, True])
def test_a_mismatch_of_template_and_assistant_costs_nothing(
    world: World, template_sid: str | None, definition: AssistantDefinition, kept: bool
) -> None:
    """What cannot be sent as it would be written is not asked for, nor sent if it was kept."""
    credentials = replace(TWILIO, template_sid=template_sid)
    world.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = credentials
    answer = ANSWER if definition.variables else replace(ANSWER, text="Hello", variables={})
    with pytest.raises(PermanentFailure, match="assistant_template_mismatch"):
        draft(world, asked_for(assistant=definition), answer if kept else None)
    assert [] == world.writer.billed


def test_a_kept_answer_is_not_asked_for_again(world: World) -> None:
    """What was written and paid for once is used as it is."""
    kept = replace(ANSWER, message_id="resp_kept")
    assert (TWILIO, kept) == draft(world, kept=kept)
    assert [] == world.writer.billed


def test_a_kept_answer_needs_no_openai_key(world: World) -> None:
    """Where nothing is asked, nothing is unlocked."""
    world.secrets.openai_keys.stored.clear()
    assert ANSWER == draft(world, kept=ANSWER)[1]


def test_a_refused_key_is_read_again_once(world: World) -> None:
    """A key that was changed at the vendor is found without waiting for the cache."""
    draft(world)
    world.secrets.openai_keys.stored[contexts.OPENAI_SECRET] = world.writer.api_key = "sk-2"
    draft(world)
    assert [contexts.OPENAI_SECRET] == world.secrets.fresh_reads
    assert 2 == len(world.writer.billed)


def test_a_key_that_stays_refused_is_given_up(world: World) -> None:
    """One fresh key is tried, no more; a person is called, and the record says retry."""
    refuse_openai(world, times=2)
    with pytest.raises(CredentialsRefused) as refused:
        draft(world)
    assert refused.value.alarm
    assert [contexts.OPENAI_SECRET] == world.secrets.fresh_reads
    assert [] == world.writer.billed


def test_another_error_of_the_ai_reads_no_secret(world: World) -> None:
    """Only a refused key makes a fresh one worth its price."""
    world.writer.fail(TransientFailure("openai_500", Step.AI))
    with pytest.raises(TransientFailure, match="openai_500"):
        draft(world)
    assert [] == world.secrets.fresh_reads


@pytest.mark.parametrize("secret", ["openai_keys", "twilio_credentials"])
def test_a_missing_secret_is_a_permanent_failure(world: World, secret: str) -> None:
    """Neither key nor credentials: nothing is asked."""
    getattr(world.secrets, secret).stored.clear()
    with pytest.raises(PermanentFailure, match="secret_missing"):
        draft(world)
    assert [] == world.writer.billed


def test_the_ai_has_its_configured_time(world: World) -> None:
    """With time to spare, the answer may take what is configured."""
    draft(world)
    assert 60.0 == world.writer.billed[0].timeout


def test_the_ai_leaves_time_for_the_send(world: World) -> None:
    """Near the function's end the answer gets what the send and its record leave."""
    world.function_ends_at = world.clock() + world.timing.send_reserve + 20
    draft(world)
    assert 20.0 == pytest.approx(world.writer.billed[0].timeout)


def test_an_answer_that_cannot_be_in_time_is_not_asked_for(world: World) -> None:
    """Too little time left for an answer: the next delivery asks, and at once."""
    world.function_ends_at = world.clock() + world.timing.send_reserve + LEAST_AI_SECONDS - 0.5
    with pytest.raises(TransientFailure) as late:
        draft(world)
    assert ("out_of_time", 0) == (late.value.code, late.value.again_in)
    assert [] == world.writer.billed
