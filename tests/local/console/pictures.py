"""Take the pictures in `docs/console`: `python -m tests.local.console.pictures`.

A local cloud is started for them, and a person uses its web console, for about two minutes.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect

from lambda_src.core import Status
from local.cloud import LocalCloud
from local.console import ConsoleServer
from local.lifecycle import wait_for
from local.vendors import FakeVendors
from tests.local.console.visitor import (
    APPROVED,
    EDITED,
    SENT,
    UNDELIVERED,
    UNDELIVERED_CODE,
    UNKNOWN,
    Visitor,
    conversation,
    send_with_faults,
    status,
)
from tests.support.browser import VIEWS, chromium, open_page

MAX_SECONDS = 120
"""The longest wait until a send counts as one of unknown outcome."""
DIRECTORY = Path(__file__).parents[3] / "docs/console"


def main() -> None:
    """Use the console, and write a picture of each view."""
    fakes = FakeVendors()
    with (
        TemporaryDirectory() as workdir,
        LocalCloud(fakes, workdir=Path(workdir)) as cloud,
        ConsoleServer(cloud) as console,
        chromium() as browser,
    ):
        send_with_faults(cloud, fakes)
        wait_for(lambda: Status.SEND_UNKNOWN == status(cloud, UNKNOWN), MAX_SECONDS)
        with open_page(browser) as page:
            page.set_viewport_size({"width": 1280, "height": 640})  # for files below 100 kB
            _use(Visitor(page, console.url))
        with open_page(browser, VIEWS[3]) as page:
            expect(Visitor(page, console.url).inbox(UNDELIVERED)).to_be_visible()
            _save(page, "phone")


def _use(visitor: Visitor) -> None:
    page = visitor.page
    visitor.switch_on("twilio undelivered", value=UNDELIVERED_CODE, contains=UNDELIVERED)
    visitor.fault("twilio undelivered").evaluate("row => row.scrollIntoView({block: 'center'})")
    _save(page, "faults")
    visitor.send("whatsapp", UNDELIVERED)
    visitor.send("sms", SENT)
    visitor.fill_form("whatsapp", recipient_tel="07700 900", project_status="closed")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert").first).to_be_visible()
    _save(page, "send")
    visitor.open_draft(APPROVED)
    visitor.operate(page.get_by_role("button", name="Approve as it was"))
    visitor.open_draft(EDITED)
    expect(page.get_by_role("heading", name="The draft")).to_be_visible()
    _save(page, "draft")
    expect(visitor.inbox(SENT)).to_contain_text("✓✓")
    expect(visitor.inbox(UNDELIVERED)).to_contain_text(UNDELIVERED_CODE)
    expect(visitor.inbox(APPROVED)).to_contain_text("✓✓")
    _save(page, "inboxes")
    visitor.visit("Conversations")
    _save(page, "conversations")
    page.get_by_role("link", name=conversation(APPROVED)).click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    _save(page, "conversation")
    for title in ("Approvals", "Unknown sends", "Dead letters", "System"):
        visitor.visit(title)
        _save(page, title.lower().replace(" ", "-"))


def _save(page: Page, name: str) -> None:
    DIRECTORY.mkdir(exist_ok=True)
    page.mouse.move(0, 0)
    page.screenshot(path=DIRECTORY / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main()
