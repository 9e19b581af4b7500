"""The explorer while files are edited: it follows, and keeps what a person has written."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from support.pages import SERVICE, editor, link, opened, outcome, responses, send

HANDLER = """
    async def quote(self, request, ctx):
        return {"order_id": "quoted"}
"""


@pytest.fixture
def server(shop, page):
    with shop.serving() as server:
        yield server
        page.goto("about:blank")  # or it would miss the server


def notice(page):
    return page.locator("#notice")


def refused(page):
    return page.get_by_role("alert")


def test_a_handler_takes_the_place_of_its_mock(page, server, shop):
    opened(page, server.url, "Quote")
    editor(page).fill('{"id": "mine"}')
    expect(link(page, "Quote")).to_contain_text("mock")
    shop.plugin.write_text(shop.plugin.read_text() + HANDLER)
    expect(link(page, "Quote")).to_have_text("Quotechangedhandler")
    expect(link(page, "Get")).to_have_text("Getidempotenthandler")
    expect(page.locator("#generation")).to_have_text("generation 2")
    expect(notice(page)).to_contain_text("Generation 2 serves. plugins/shop.py")
    expect(notice(page)).to_contain_text("Quote has a handler")
    expect(page.locator("#badges")).to_have_text("handlerunary")
    expect(editor(page)).to_have_value('{"id": "mine"}')
    send(page)
    expect(responses(page)).to_contain_text("quoted")
    expect(outcome(page)).to_have_text(re.compile("generation 2$"))


def test_a_refused_edit_is_told_over_the_page_until_it_is_mended(page, server, shop):
    opened(page, server.url)
    editor(page).fill('{"id": "mine"}')
    shop.edit(shop.plugin, "async def get(", "async def gett(")
    expect(refused(page)).to_be_visible()
    expect(refused(page)).to_contain_text("Generation 1 still serves.")
    expect(page.locator("#findings code")).to_have_text("plugins/shop.py:12")
    expect(page.locator("#findings")).to_contain_text("gett")
    expect(page.locator("#findings .hint")).to_contain_text("get")
    expect(link(page, "Get")).to_contain_text("broken")
    expect(page.locator("#badges")).to_contain_text("broken")
    page.get_by_role("button", name="Fold").click()
    expect(page.locator("#findings")).to_be_hidden()
    send(page)
    expect(outcome(page)).to_have_text(re.compile("^ok .* generation 1$"))  # as before
    page.reload()
    expect(refused(page)).to_be_visible()  # whoever comes later sees it too
    shop.edit(shop.plugin, "async def gett(", "async def get(")
    expect(refused(page)).to_be_hidden()
    expect(link(page, "Get")).to_have_text("Getidempotenthandler")
    expect(notice(page)).to_have_text(re.compile("^The files are again what generation 1 serves."))


def test_a_schema_grows_under_an_open_request(page, server, shop):
    opened(page, server.url)
    editor(page).fill('{"id": "1", "note": "n"}')
    expect(page.locator("[data-mark]")).to_have_text('"note"')
    shop.edit(shop.schema, 'string id = 1; // such as "o-17"', "string id = 1;\n  string note = 2; // for us")
    expect(page.locator("[data-mark]")).to_have_count(0)
    expect(page.get_by_role("row", name="note string 2 for us")).to_be_visible()
    expect(editor(page)).to_have_value('{"id": "1", "note": "n"}')
    expect(link(page, "Get")).to_have_text("Getchangedidempotenthandler")
    expect(link(page, "Import")).not_to_contain_text("changed")
    expect(page.locator("#gone")).to_have_text("This method is changed since the last reload.")
    page.goto(f"{server.url}/#/{SERVICE}/Fresh")
    expect(page.locator("#empty")).to_have_text(f"There is no method {SERVICE}/Fresh.")
    shop.edit(shop.schema, "  // Has no handler.\n", "  rpc Fresh(GetRequest) returns (Count);\n")
    expect(link(page, "Fresh")).to_have_text("Freshnewmock")
    expect(page.get_by_role("heading", name="Fresh")).to_be_visible()


def test_a_method_goes_and_its_request_stays(page, server, shop):
    opened(page, server.url, "Quote")
    editor(page).fill('{"id": "mine"}')
    shop.edit(shop.schema, "  rpc Quote(GetRequest) returns (Order);\n", "")
    expect(page.locator("#gone")).to_have_text("This method has gone with the last reload.")
    expect(link(page, "Quote")).to_have_count(0)
    editor(page).press("End")
    editor(page).press_sequentially(" ")
    expect(page.locator(".editor .fault")).to_contain_text("there is no method shop.v1.Orders/Quote")
    expect(editor(page)).to_have_value('{"id": "mine"} ')
    expect(notice(page)).to_contain_text("breaks wire")


def test_a_state_that_could_not_be_asked_for_is_asked_for_again(page, server, shop, watched):
    watched[0].allowed.add("/-/state")  # which fails once
    opened(page, server.url)
    page.route("**/-/state", lambda route: route.abort(), times=1)
    shop.plugin.write_text(shop.plugin.read_text() + HANDLER)
    expect(link(page, "Quote")).to_contain_text("handler")
    expect(page.locator("#connection")).to_be_empty()


def test_it_comes_back_with_the_server(page, shop, watched):
    with shop.serving() as server:
        port = server.url.rpartition(":")[2]
        opened(page, server.url)
    watched[0].allowed |= {"/-/events", f"/-/check/{SERVICE}/Get"}  # which can't be reached
    expect(page.locator("#connection")).to_have_text("The server can't be reached; trying again…")
    shop.plugin.write_text(shop.plugin.read_text() + HANDLER)
    with shop.serving("--port", port):
        expect(page.locator("#connection")).to_be_empty()
        expect(link(page, "Quote")).to_contain_text("handler")
        page.goto("about:blank")


SEEN = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_page_that_nobody_sees_leaves_its_connection_to_others(page, server, shop):
    page.clock.install()
    opened(page, server.url)
    expect(page.locator("#generation")).to_have_text("generation 1")
    page.evaluate(SEEN, True)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/-/events")):
        page.clock.fast_forward(2_000)
    shop.plugin.write_text(shop.plugin.read_text() + HANDLER)
    server.line("gen 2")
    expect(page.locator("#generation")).to_have_text("generation 1")
    page.evaluate(SEEN, False)
    expect(page.locator("#generation")).to_have_text("generation 2")
    expect(link(page, "Quote")).to_have_text("Quotechangedhandler")
    expect(notice(page)).to_contain_text("Quote has a handler")


def test_a_page_does_not_keep_the_server_from_stopping(page, shop, watched):
    watched[0].allowed.add("/-/events")
    with shop.serving("--grace", "600") as server:
        opened(page, server.url, "Wait")
        server.signal()
        assert server.finished() == 0
    assert SERVICE in server.text
