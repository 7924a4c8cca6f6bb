"""The web console in a real browser: what a person sees and does."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from lambda_src.core import Status
from local.cloud import LocalCloud
from local.console import ConsoleServer
from local.lifecycle import wait_for
from local.vendors import FakeVendors
from ops import queues
from tests.local.cloud.messages import TIMEOUT_SECONDS, several_waits
from tests.local.console.visitor import (
    APPROVED,
    EDITED,
    REFUSAL,
    REFUSED,
    REJECTED,
    SENT,
    UNDELIVERED,
    UNDELIVERED_CODE,
    UNKNOWN,
    Visitor,
    conversation,
    send_with_faults,
    status,
)
from tests.support.browser import VIEWS, View, check_accessibility, open_page

pytestmark = several_waits
EDITED_TEXT = "Your application has arrived."
on_a_phone = pytest.mark.parametrize("visitor", [VIEWS[3]], ids=str, indirect=True)
MENU = (
    *("Inboxes", "Conversations", "Send", "Faults", "Approvals", "Unknown sends"),
    *("Dead letters", "System"),
)


@pytest.fixture(scope="module")
def console(cloud: LocalCloud, fakes: FakeVendors) -> Iterator[ConsoleServer]:
    """Serve the console, with messages that an operator must decide about."""
    with pytest.MonkeyPatch.context() as patch, ConsoleServer(cloud) as console:
        patch.setattr(queues, "POLL_SECONDS", 0)  # one process holds the whole queue
        patch.setattr("local.cloud.LIST_LAG_SECONDS", 0)
        send_with_faults(cloud, fakes)
        yield console


@pytest.fixture
def visitor(
    browser: Browser, console: ConsoleServer, request: pytest.FixtureRequest
) -> Iterator[Visitor]:
    """Open the console, which fails the test on errors; on a screen, or as the test says."""
    with open_page(browser, getattr(request, "param", VIEWS[0])) as page:
        yield Visitor(page, console.url)


@on_a_phone
def test_a_context_object_is_composed_and_sent(visitor: Visitor) -> None:
    """Its steps are shown while they happen; then its bubble, with what the vendor reports."""
    visitor.send("whatsapp", SENT)
    expect(visitor.page.get_by_role("main")).to_contain_text("recorded as sent")
    inbox = visitor.inbox(SENT)
    expect(inbox).to_contain_text("Amara")
    expect(inbox).to_contain_text("✓✓")


def test_problems_are_shown_at_their_fields(visitor: Visitor) -> None:
    """Nothing is sent until they are corrected."""
    visitor.fill_form("whatsapp", recipient_tel="07700 900", project_status="closed")
    visitor.page.get_by_role("button", name="Send", exact=True).click()
    expect(visitor.page.get_by_role("alert").first).to_contain_text("2 problems: nothing was sent")
    for label in ("recipient_tel", "project_status"):
        field = visitor.page.get_by_label(label)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile("^expected"))


def test_a_fault_is_switched_on_and_off(visitor: Visitor) -> None:
    """A message that it applies to is shown as not delivered, with the vendor's code."""
    fault = "twilio delivery_failed"  # other tests have rules of `undelivered`
    visitor.switch_on(fault, value=UNDELIVERED_CODE, contains=UNDELIVERED)
    visitor.send("whatsapp", UNDELIVERED)
    expect(visitor.inbox(UNDELIVERED)).to_contain_text(f"error {UNDELIVERED_CODE}")
    visitor.visit("Faults")
    visitor.switch(fault).uncheck()
    expect(visitor.fault(fault)).not_to_contain_text(UNDELIVERED)


@on_a_phone
def test_a_draft_is_approved_or_edited(visitor: Visitor) -> None:
    """The recipient receives the text that the AI or the operator wrote."""
    visitor.open_draft(APPROVED)
    text = visitor.text.input_value()
    check_accessibility(visitor.page)
    visitor.operate(visitor.page.get_by_role("button", name="Approve as it was"))
    visitor.open_draft(EDITED)
    visitor.text.fill(EDITED_TEXT)
    visitor.operate(visitor.page.get_by_role("button", name="Send the edited text"))
    expect(visitor.inbox(APPROVED)).to_contain_text(text)
    expect(visitor.inbox(EDITED)).to_contain_text(EDITED_TEXT)


def test_a_draft_is_rejected_by_the_keyboard(visitor: Visitor, cloud: LocalCloud) -> None:
    """Every element is reached by the tabulator, and the dialog has the focus on its question."""
    page, press = visitor.page, visitor.page.keyboard.press
    visitor.tab_to(page.get_by_role("link", name="Approvals"))
    press("Enter")
    visitor.tab_to(page.get_by_role("link", name=conversation(REJECTED)))
    press("Enter")
    visitor.tab_to(page.get_by_label("Reason"))
    page.keyboard.type("invented")
    visitor.tab_to(page.get_by_role("button", name="Reject"))
    press("Enter")
    visitor.confirm(visitor.press_focused)
    assert Status.FAILED == status(cloud, REJECTED)


def test_a_dead_letter_is_redriven(visitor: Visitor) -> None:
    """Once the cause is fixed, its message is sent."""
    cause = visitor.page.get_by_role("article").filter(has_text=f"twilio_{REFUSAL}")

    def is_shown() -> bool:
        visitor.visit("Dead letters")
        return cause.is_visible()

    assert wait_for(is_shown, TIMEOUT_SECONDS)
    visitor.operate(cause.get_by_role("button", name="The cause is fixed: redrive"))
    expect(visitor.inbox(REFUSED)).to_contain_text("Amara")


@pytest.mark.parametrize("view", [VIEWS[0], VIEWS[3]], ids=str)
def test_all_views_are_accessible(browser: Browser, console: ConsoleServer, view: View) -> None:
    """They pass the rules of axe in both color schemes, and fit into both widths."""
    with open_page(browser, view) as page:
        visitor = Visitor(page, console.url)
        for title in MENU:
            visitor.visit(title)
            _check(page, view)
        visitor.visit("Conversations")
        page.get_by_role("link", name=conversation(UNKNOWN)).click()
        _check(page, view)


def _check(page: Page, view: View) -> None:
    check_accessibility(page)
    assert view.width >= page.evaluate("document.documentElement.scrollWidth")


def test_an_unknown_send_is_resolved(visitor: Visitor, cloud: LocalCloud) -> None:
    """The operator decides that it was not sent; then it is for a retry.

    It is last, since its lookups take most of a minute.
    """
    assert wait_for(lambda: Status.SEND_UNKNOWN == status(cloud, UNKNOWN), TIMEOUT_SECONDS)
    visitor.visit("Unknown sends")
    send = visitor.page.get_by_role("article").filter(has_text=conversation(UNKNOWN))
    visitor.operate(send.get_by_role("button", name="It was not sent"))
    assert Status.RETRY == status(cloud, UNKNOWN)
