"""Short schedules of which it is known what they show.

A schedule may begin with its ways: `begin`, how many receives the queue allows, and whether no two
texts are the same, the AI takes longer than a lease lasts, and what is late comes last (0 or 1).
"""

from collections.abc import Mapping

from tests.faults.rules import Rule
from tests.faults.schedules.reached import Reached

SENDING = "arrive 0; deliver 1; trouble_at 0 sender.send"
UNRECORDED = "arrive 0; deliver 1; trouble_at 0 conversations.record_sent ledger_refused"
OUT_OF_SIGHT = f"begin 10 0 0 1; lag; {SENDING} accepted-untold"
LAST_LOOK = f"begin 2 0 0 0; {SENDING} never-arrived; finish 0; wait_for_queue; deliver 1"
AT_THE_AI = "arrive 0; arrive 0; deliver 1; go_to 0 before:writer.write"
ANNOUNCED = "begin 2 0 0 0; arrive 0; deliver 1; go_to 0 after:conversations.begin_send"
OPTED_OUT = f"{SENDING} twilio_21610; finish 0; arrive 1"

REACHING: Mapping[Reached, str] = {
    Reached.SENT: "arrive 0; deliver 1; finish 0",
    Reached.RETRIED: "arrive 0; deliver 1; trouble_at 0 writer.write openai_500",
    Reached.TAKEN_OVER: "arrive 0; deliver 1; kill_at 0 before:writer.write",
    Reached.FENCED_OFF: f"{AT_THE_AI}; wait 95; overtake 0; finish -1; finish 0",
    Reached.BUSY: f"{AT_THE_AI}; deliver 1; finish -1",
    Reached.SENT_ALREADY: "arrive 0; deliver 1; finish 0; duplicate 0; finish 0",
    Reached.LAPSED: "arrive 0; deliver 1; go_to 0 after:writer.write; wait 95; finish 0",
    Reached.STALLED: f"{ANNOUNCED}; wait 5; finish 0",
    Reached.RENEWED: "begin 10 0 1 0; arrive 0; deliver 1; finish 0",
    Reached.REPEATED: "arrive 0; deliver 1; trouble_at 0 conversations.create repeated-by-sdk",
    Reached.APPLIED_LATE: "arrive 0; deliver 1; trouble_at 0 conversations.create applied-late",
    Reached.ACCEPTED_LATE: f"{SENDING} accepted-late; finish 0; late 0",
    Reached.KILLED_BEFORE_SEND: "arrive 0; deliver 1; kill_at 0 before:sender.send",
    Reached.KILLED_AFTER_SEND: "arrive 0; deliver 1; kill_at 0 after:sender.send",
    Reached.KILLED_DECLARING: f"{LAST_LOOK}; kill_at 0 after:conversations.declare_unknown",
    Reached.OUTLIVED: f"{ANNOUNCED}; wait 400; finish 0",
    Reached.UNRECORDED: UNRECORDED,
    Reached.SETTLED: f"{SENDING} accepted-untold",
    Reached.NOT_LISTED: OUT_OF_SIGHT,
    Reached.RIVALS: f"arrive 1; {SENDING} accepted-untold",
    Reached.DECLARED_UNKNOWN: f"{SENDING} never-arrived",
    Reached.SETTLED_BY_PERSON: OUT_OF_SIGHT,
    Reached.RELEASED: f"{SENDING} never-arrived",
    Reached.MENDED: "arrive 0; deliver 1; trouble_at 0 secrets.credentials secret_malformed",
    Reached.LAST_RECEIVE: "begin 2 0 0 0; arrive 0; deliver 1; kill_at 0 before:writer.write",
    Reached.DEAD_LETTER: "arrive 0; deliver 1; trouble_at 0 writer.write openai_400",
    Reached.REDRIVEN: "begin 2 0 0 0; arrive 0; deliver 1; kill 0",
    Reached.REFUSED: f"{SENDING} twilio_21211",
    Reached.SUPPRESSED: OPTED_OUT,
    Reached.ANSWER_REUSED: f"{SENDING} twilio_20429",
    Reached.SECRET_READ_ANEW: f"{SENDING} twilio_20003",
    Reached.SEVERAL_IN_A_BATCH: "arrive 0; arrive 2; deliver 2",
    Reached.CUT_OFF: "arrive 0; deliver 1; go_to 0 before:writer.write; wait 400; go 0 0 1",
    Reached.HEARTBEAT_HUNG: "arrive 0; deliver 1; go 0 0 1; hang 0",
}
"""A schedule that reaches each turn of events."""

BREAKING: Mapping[str, tuple[Rule, str]] = {
    "no_fence": (
        Rule.SILENT_WITHOUT_LEASE,
        f"{AT_THE_AI}; wait 95; overtake 0; go_to -1 before:writer.write; finish 0",
    ),
    "unclaimed": (Rule.SENT_IN_THE_END, "arrive 0; arrive 0"),
    "busy_acknowledged": (Rule.DELETED_ONLY_IF_SENT, f"{AT_THE_AI}; deliver 1; finish -1"),
    "lease_not_renewed": (Rule.SENT_IN_THE_END, "begin 10 0 1 0; arrive 0"),
    "lapsed_lease_kept": (
        Rule.SENT_IN_THE_END,
        "arrive 0; deliver 1; kill_at 0 before:writer.write",
    ),
    "exists_is_done": (
        Rule.DELETED_ONLY_IF_SENT,
        "arrive 0; deliver 1; kill_at 0 before:writer.write",
    ),
    "resend_on_unknown": (Rule.AT_MOST_ONCE, f"{SENDING} accepted-untold"),
    "unknown_taken_over": (Rule.AT_MOST_ONCE, OUT_OF_SIGHT),
    "no_intent": (Rule.AT_MOST_ONCE, "arrive 0; deliver 1; kill_at 0 after:sender.send"),
    "answer_not_used": (Rule.AI_NOT_ASKED_AGAIN, f"{SENDING} twilio_20429"),
    "stall_ignored": (
        Rule.RECORD_IS_TRUE,
        f"{ANNOUNCED}; wait 20; overtake 0; finish -1; person 0",
    ),
    "send_repeated": (Rule.AT_MOST_ONCE, f"{SENDING} accepted-untold"),
    "unknown_is_unsent": (Rule.RECORD_IS_TRUE, f"{SENDING} accepted-untold"),
    "unknown_is_failed": (Rule.RECORD_IS_TRUE, f"{SENDING} accepted-untold"),
    "unknown_is_sent": (Rule.RECORD_IS_TRUE, f"{SENDING} never-arrived"),
    "passing_is_failed": (Rule.SENT_IN_THE_END, f"{SENDING} twilio_20429"),
    "failed_write_ignored": (Rule.RECORD_IS_TRUE, UNRECORDED),
    "failures_not_reported": (
        Rule.DELETED_ONLY_IF_SENT,
        "arrive 0; deliver 1; trouble_at 0 writer.write openai_500",
    ),
    "absent_is_unsent": (Rule.RECORD_IS_TRUE, OUT_OF_SIGHT),
    "alarm_after_write": (
        Rule.RECORD_IS_TRUE,
        f"{LAST_LOOK}; kill_at 0 after:conversations.declare_unknown",
    ),
    "opt_out_forgotten": (Rule.OPT_OUT_IS_HEEDED, OPTED_OUT),
    "others_ignored": (Rule.RECORD_IS_TRUE, f"arrive 1; {SENDING} never-arrived"),
}
"""Of each broken variant: a schedule in which it breaks the promise, and a rule that it breaks."""
