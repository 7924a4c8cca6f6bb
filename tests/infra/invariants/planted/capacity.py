"""Faults between what is asked of the vendors and what they allow."""

from tests.infra.invariants.bench import changed
from tests.infra.invariants.fault import fault
from tests.infra.invariants.templates import fact, put

MAPPING = "AWS::Lambda::EventSourceMapping"

FAULTS = (
    fault(
        "more messages than the sender may send",
        "sender-keeps-up",
        by_code=changed(messages_per_second={"push": 9}, ai_seconds_per_message=2),
        by_override=put(MAPPING, "ScalingConfig.MaximumConcurrency", 17),
    ),
    fault(
        "an AI faster than the sender",
        "sender-keeps-up",
        by_code=changed(messages_per_second={"push": 80}, ai_seconds_per_message=0.2),
        by_override=fact("messages_per_second", {"whatsapp": 9.9}),
    ),
    fault(
        "more requests than the OpenAI account may make",
        "openai-keeps-up",
        by_code=changed(openai_requests_per_minute=599, ai_seconds_per_message=2),
        by_override=fact("openai_requests_per_minute", 599),
    ),
    fault(
        "more tokens than the OpenAI account may use",
        "openai-keeps-up",
        by_code=changed(
            openai_tokens_per_minute=599_999, tokens_per_message=1_000, ai_seconds_per_message=2
        ),
        by_override=fact("tokens_per_message", 100_001),
    ),
    fault(
        "limit of a channel that does not exist",
        "limited-channels-exist",
        by_code=changed(messages_per_second={"pusch": 80}, ai_seconds_per_message=2),
        by_override=fact("messages_per_second", {"whatsap": 80}),
    ),
    fault(
        "plan for a channel that does not exist",
        "limited-channels-exist",
        by_code=changed(messages_per_day={"pusch": 80}, ai_seconds_per_message=2),
        by_override=fact("messages_per_day", {"whatsap": 80}),
    ),
    fault(
        "more messages planned than are worked off in a day",
        "planned-load-is-carried",
        by_code=changed(messages_per_day={"push": 500_000}, ai_seconds_per_message=2),
        by_override=fact("messages_per_day", {"whatsapp": 2_000_000}),
    ),
    fault(
        "a peak that keeps messages waiting for too long",
        "planned-load-is-carried",
        by_code=changed(
            messages_per_day={"push": 200_000}, ai_seconds_per_message=2, longest_wait_seconds=1_200
        ),
        by_override=fact("longest_wait_seconds", 1),
    ),
)
