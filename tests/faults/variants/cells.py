"""Of each broken variant: a cell of the grid that catches it, or why none can."""

from collections.abc import Mapping

from tests.faults.rules import Rule

SEND = "first contact / twilio.POST Messages#1"
UNLISTED = "given up, yet sent / dynamodb.UpdateItem#1 / killed after"
AT_THE_AI = "first contact / openai.POST responses#1 / killed before"

CATCHING: Mapping[str, tuple[Rule, str]] = {
    "unclaimed": (Rule.AI_NOT_ASKED_AGAIN, f"{SEND} / throttled / redelivered"),
    "busy_acknowledged": (Rule.DELETED_ONLY_IF_SENT, f"{AT_THE_AI} / concurrent duplicate"),
    "lease_not_renewed": (
        Rule.SENT_IN_THE_END,
        "long work / dynamodb.UpdateItem#1 / server error / redelivered",
    ),
    "lapsed_lease_kept": (
        Rule.SENT_IN_THE_END,
        "last delivery / sqs.GetQueueAttributes#1 / killed before / redelivered",
    ),
    "exists_is_done": (Rule.DELETED_ONLY_IF_SENT, f"{AT_THE_AI} / redelivered"),
    "resend_on_unknown": (Rule.AT_MOST_ONCE, f"{SEND} / killed after / redelivered"),
    "no_intent": (Rule.AT_MOST_ONCE, f"{SEND} / killed after / redelivered"),
    "answer_not_used": (Rule.AI_NOT_ASKED_AGAIN, f"{SEND} / throttled / redelivered"),
    "send_repeated": (Rule.AT_MOST_ONCE, f"{SEND} / answer lost / alone"),
    "unknown_is_unsent": (Rule.RECORD_IS_TRUE, f"{SEND} / answer lost / alone"),
    "unknown_is_failed": (Rule.RECORD_IS_TRUE, f"{SEND} / answer lost / alone"),
    "unknown_is_sent": (Rule.RECORD_IS_TRUE, f"{SEND} / answer lost / alone"),
    "passing_is_failed": (Rule.SENT_IN_THE_END, f"{SEND} / throttled / redelivered"),
    "failed_write_ignored": (
        Rule.RECORD_IS_TRUE,
        "first contact / dynamodb.UpdateItem#3 / refused / redelivered",
    ),
    "failures_not_reported": (Rule.DELETED_ONLY_IF_SENT, f"{SEND} / throttled / alone"),
    "alarm_after_write": (
        Rule.RECORD_IS_TRUE,
        "given up / dynamodb.UpdateItem#1 / killed after / redelivered",
    ),
    "unknown_taken_over": (Rule.AT_MOST_ONCE, f"{UNLISTED} / late duplicate"),
    "absent_is_unsent": (Rule.RECORD_IS_TRUE, f"{UNLISTED} / alone"),
}
"""A rule that the variant breaks, and the cell in which it does."""

BEYOND: Mapping[str, str] = {
    "no_fence": "who overtakes a frozen worker comes to an end before that one goes on",
    "stall_ignored": "the person on duty waits for the end of all workers",
    "others_ignored": "a world has one conversation",
    "opt_out_forgotten": "a world has one conversation",
}
"""Why no cell shows the mistake; random schedules do."""
