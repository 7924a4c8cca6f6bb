"""All checks, in the order in which a report shows them."""

from collections.abc import Callable, Iterator

from conformance import of_input, of_runtime, of_template
from conformance.subject import Subject

Check = Callable[[Subject], Iterator[str]]
"""Looks at a channel, and yields what is wrong with it, in words that name the place."""

CHECKS: tuple[Check, ...] = (
    of_template.is_named_by_the_rule,
    of_template.is_fed_by_its_queue,
    of_template.wakes_a_person,
    of_template.may_do_no_more_than_it_does,
    of_template.starts_with_its_environment,
    of_runtime.sends_and_records,
    of_runtime.keeps_the_ledgers_rules,
    of_runtime.settles_what_was_accepted,
    of_runtime.calls_a_person_for_what_it_cannot_settle,
    of_runtime.ends_what_is_refused,
    of_runtime.waits_for_a_busy_vendor,
    of_input.refuses_bad_input,
    of_input.sends_only_what_is_its_own,
    of_input.says_nothing_of_people,
)
"""Every check: of the template, of the runtime at work, of what comes in and goes out."""
