"""A person at the web console, who clicks and types."""

import re
from collections.abc import Callable
from dataclasses import replace

from playwright.sync_api import Locator, Page, expect

from lambda_src.core import RecordKey
from local.cloud import LocalCloud
from local.contexts import example
from local.fakes import Fault, Match
from local.vendors import FakeVendors
from tests.support.browser import TIMEOUT_MS

expect.set_options(timeout=TIMEOUT_MS)

SENT, UNDELIVERED, REFUSED, UNKNOWN = (f"+44770090090{number}" for number in range(4))
APPROVED, EDITED, REJECTED = (f"+44770090091{number}" for number in range(3))
REFUSAL = "21612"
UNDELIVERED_CODE = "63016"
INVENTED = "Your place is reserved. Call 0800 123 4567."


def conversation(number: str) -> str:
    """Return the id of the conversation with a recipient."""
    return f"conversation {number[-3:]}"


def status(cloud: LocalCloud, number: str) -> str:
    """Return the status of the conversation with a recipient."""
    record = cloud.channel.record(RecordKey(number, conversation(number)))
    return str(record.get("conversation_status"))


def send_with_faults(cloud: LocalCloud, fakes: FakeVendors) -> None:
    """Send messages that an operator must decide about: drafts, a lost send, a refused one."""
    wrong = Fault.wrong_output(INVENTED)
    for number in (APPROVED, EDITED, REJECTED):
        match = replace(fakes.openai.default_match(wrong), contains=conversation(number))
        fakes.openai.fail_next(wrong, match=match, times=2)
    fakes.twilio.fail_next(Fault.reset(), match=Match(contains=UNKNOWN))
    fakes.twilio.fail_next(REFUSAL, match=Match(contains=REFUSED))
    drafts = dict.fromkeys((APPROVED, EDITED, REJECTED), "whatsapp-free-text")
    for number, name in {UNKNOWN: "whatsapp", REFUSED: "whatsapp", **drafts}.items():
        cloud.channel.send(example(name, conversation_id=conversation(number), recipient=number))


class Visitor:
    """Uses the web console in one page.

    Args:
        page: an empty page.
        url: the console's address.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url)

    def visit(self, title: str) -> None:
        """Open a view from the menu."""
        menu = self.page.get_by_role("navigation", name="Views")
        menu.get_by_role("link", name=re.compile(rf"^{title}\b")).click()
        expect(menu.get_by_role("link", name=re.compile(rf"^{title}\b"))).to_have_attribute(
            "aria-current", "page"
        )

    def fill_form(self, example: str, **fields: str) -> None:
        """Fill the form with an example, then some of its fields with other values."""
        self.visit("Send")
        self.page.get_by_label("Example").select_option(example)
        self.page.get_by_role("button", name="Fill the form").click()
        self.page.wait_for_url(f"**example={example}")
        for label, text in fields.items():
            self.page.get_by_label(label, exact=True).fill(text)

    def send(self, name: str, number: str) -> None:
        """Send an example to a recipient, and open its conversation."""
        self.fill_form(name, recipient_tel=number, conversation_id=conversation(number))
        self.page.get_by_label("New conversation and request id").uncheck()
        self.page.get_by_role("button", name="Send", exact=True).click()
        self.page.get_by_role("link", name=f"Watch {conversation(number)}").click()

    def switch(self, fault: str) -> Locator:
        """Return the switch of a fault."""
        return self.page.get_by_role("checkbox", name=fault, exact=True)

    def fault(self, name: str) -> Locator:
        """Return the row of a fault, which has its active rules."""
        return self.page.get_by_role("row").filter(has=self.switch(name))

    def switch_on(self, fault: str, *, value: str, contains: str) -> None:
        """Switch a fault on, for the requests that contain a text."""
        self.visit("Faults")
        self.page.get_by_label("Only requests about").fill(contains)
        self.fault(fault).get_by_role("textbox").fill(value)
        self.switch(fault).check()
        expect(self.fault(fault)).to_contain_text(f"for {contains}")

    def open_draft(self, number: str) -> None:
        """Open a held draft."""
        self.visit("Approvals")
        self.page.get_by_role("link", name=conversation(number)).click()

    def inbox(self, address: str) -> Locator:
        """Return what is shown of a recipient's messages."""
        self.visit("Inboxes")
        return self.page.get_by_role("log", name=address)

    @property
    def text(self) -> Locator:
        """The text of the draft that is open."""
        return self.page.get_by_role("textbox", name="Text", exact=True)

    def operate(self, button: Locator) -> None:
        """Click on an action, and confirm it."""
        button.click()
        self.confirm(Locator.click)

    def confirm(self, press: Callable[[Locator], object]) -> None:
        """Answer the question of an action in the dialog, and close the dialog with its outcome."""
        dialog = self.page.get_by_role("dialog")
        press(dialog.get_by_role("button", name="Yes, continue"))
        press(dialog.get_by_role("button", name="Close"))
        expect(dialog).to_be_hidden()

    def press_focused(self, button: Locator) -> None:
        """Press Enter on a button that has the focus."""
        expect(button).to_be_focused()
        self.page.keyboard.press("Enter")

    def tab_to(self, target: Locator) -> None:
        """Press the tabulator until an element has the focus.

        Raises:
            AssertionError: it cannot be reached.
        """
        for _ in range(200):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError("the element cannot be reached by the keyboard")
