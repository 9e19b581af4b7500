"""What tests of the explorer look at: its parts, by their roles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SERVICE = "shop.v1.Orders"


def opened(page: Page, url: str, method: str = "Get") -> None:
    """Open the explorer with *method*, and wait for its example."""
    from playwright.sync_api import expect

    page.goto(f"{url}/#/{SERVICE}/{method}")
    expect(page.get_by_role("heading", name=method, exact=True)).to_be_visible()
    expect(editor(page)).to_have_value(re.compile(r"^\{\s"))


def editor(page: Page, number: int = 0) -> Locator:
    return page.get_by_role("textbox", name="Message of the request").nth(number)


def send(page: Page) -> None:
    page.get_by_role("button", name="Send").click()


def outcome(page: Page) -> Locator:
    return page.locator("#outcome")


def responses(page: Page) -> Locator:
    return page.get_by_role("list", name="Responses").get_by_role("listitem")


def link(page: Page, method: str) -> Locator:
    return page.get_by_role("navigation").get_by_role("link", name=re.compile(rf"^{method}\b"))
