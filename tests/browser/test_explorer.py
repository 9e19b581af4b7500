"""The explorer, as people use it: by its texts and roles, in a real browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from support.pages import SERVICE, editor, link, opened, outcome, responses, send
from support.serving import Certificates

AXE = Path(__file__).parent / "pages/node_modules/axe-core/axe.min.js"


def test_it_shows_what_is_served(page, url):
    page.goto(url)
    expect(link(page, "Get")).to_have_attribute("aria-current", "page")  # the first one is opened
    expect(link(page, "Get")).to_contain_text("handler")
    expect(link(page, "Quote")).to_contain_text("mock")
    assert page.get_by_role("navigation").get_by_role("link").count() == 7
    expect(page.locator("#badges")).to_have_text("handlerunaryidempotent")
    expect(page.locator("#bound")).to_have_text("bound by plugins/shop.py:12 Orders.get")
    expect(page.locator("#declaration")).to_have_text("rpc Get(GetRequest) returns (Order)")
    expect(page.locator("#generation")).to_have_text("generation 1")
    link(page, "Talk").click()
    expect(page.locator("#badges")).to_have_text("handlerbidi stream")


def test_comments_and_fields_are_there_to_read(page, url):
    opened(page, url)
    expect(page.locator("#comment")).to_contain_text("One order, by its id.")
    order = page.locator("[data-type='shop.v1.Order']")
    expect(order).to_contain_text("What somebody buys.")
    expect(order.get_by_role("row", name="orderId order_id string 1")).to_be_visible()
    expect(order.get_by_role("row", name="card string 6 one of payment")).to_be_visible()
    expect(page.get_by_role("row", name='id string 1 such as "o-17"')).to_be_visible()
    order.get_by_role("button", name="Status").click()
    expect(page.get_by_role("row", name="STATUS_OPEN 1 it waits")).to_be_visible()
    order.get_by_role("button", name="map<string, Line>").click()
    expect(page.get_by_role("heading", name="shop.v1.Line")).to_be_focused()
    expect(page.get_by_role("row", name="replaces Order 3 deprecated")).to_be_visible()


def test_what_a_schema_says_stays_text(page, url, watched):
    opened(page, url)
    expect(page.locator("#comment")).to_contain_text('<script>document.title = "broken into"</script>')
    assert page.locator("#comment script, #comment img").count() == 0
    assert page.title() == "Get · dynconnect"
    policy = page.request.get(url).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    watched[0].allowed.add("")  # what is evaluated has no address
    refused = page.evaluate("() => { try { document.body.innerHTML = '<b>'; } catch (e) { return e.name; } }")
    assert refused == "TypeError", "no page of ours may make HTML of text"


def test_the_search_is_for_methods_and_types_and_for_the_keyboard(page, url):
    opened(page, url)
    page.locator("body").press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("count")
    expect(page.locator("#found")).to_have_text("2 of 7 methods")
    page.keyboard.press("ArrowDown")
    expect(link(page, "Import")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(link(page, "Release")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Import")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(outcome(page)).to_have_text(re.compile("^ok"))
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.locator("#found")).to_have_text("0 of 7 methods")
    page.get_by_role("searchbox").press("Escape")
    expect(link(page, "Watch")).to_be_visible()


def test_the_first_link_skips_to_the_method(page, url):
    opened(page, url, "Wait")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.get_by_role("heading", name="Wait")).to_be_visible()
    page.get_by_role("button", name="Send").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    expect(outcome(page)).to_have_text(re.compile("^canceled"))


def test_nothing_is_called_that_is_not_shown(page, url):
    opened(page, url)
    page.goto(f"{url}/#/{SERVICE}/Nope")
    expect(page.locator("#empty")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(outcome(page)).to_be_empty()
    page.go_back()
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    expect(outcome(page)).to_be_empty()


def test_a_unary_call_is_answered_with_all_there_is_to_know(page, url):
    opened(page, url)
    page.get_by_text("Headers and deadline").click()
    page.get_by_label("Headers, a line each").fill("x-asks: me")
    editor(page).fill('{"id": "o-1"}')
    editor(page).press("Control+Enter")
    expect(outcome(page)).to_have_text(re.compile(r"^ok · HTTP 200 · [\d.]+ ms · 17 B · generation 1$"))
    expect(responses(page)).to_have_count(1)
    expect(responses(page)).to_contain_text('"orderId": "o-1"')
    page.get_by_text("Headers and trailers").click()
    expect(page.get_by_role("row", name="x-saw me")).to_be_visible()
    trailers = page.get_by_role("table", name="Trailers")
    expect(trailers.get_by_role("row", name="x-took long")).to_be_visible()


HEADERS = [
    ("x-asks me", "this is no header; write name: value"),
    ("cookie: a=b", "browsers send no such header"),
    ("x-asks: 日本", "browsers send no such header"),
]


@pytest.mark.parametrize(("header", "what"), HEADERS)
def test_a_header_that_is_none_is_not_sent(page, url, header, what):
    opened(page, url)
    page.get_by_text("Headers and deadline").click()
    page.get_by_label("Headers, a line each").fill(header)
    send(page)
    expect(page.locator("#headers-fault")).to_have_text(f"{header}: {what}")
    expect(page.get_by_label("Headers, a line each")).to_be_focused()
    expect(outcome(page)).to_be_empty()


def test_a_mock_is_said_to_be_one(page, url):
    opened(page, url, "Quote")
    send(page)
    expect(outcome(page)).to_have_text(re.compile(r"^ok .* mock$"))
    expect(page.locator("#badges")).to_have_text("mockunary")


def test_a_stream_is_shown_as_it_comes(page, url):
    opened(page, url, "Watch")
    send(page)
    expect(responses(page)).to_have_count(1)
    expect(outcome(page)).to_have_text("receiving…")
    httpx.post(f"{url}/{SERVICE}/Release", json={}).raise_for_status()
    expect(responses(page)).to_have_count(2)
    expect(outcome(page)).to_have_text(re.compile(r"^ok .* 2 messages"))
    expect(responses(page).last).to_contain_text('"orderId": "second"')


def test_a_stream_is_held_in_bounds(page, url):
    opened(page, url, "Watch")
    editor(page).fill('{"id": "400"}')
    send(page)
    expect(outcome(page)).to_have_text(re.compile(r"^ok .* 400 messages"))
    expect(responses(page).last).to_contain_text('"399 xxx')
    expect(page.locator("#dropped")).to_have_text(
        re.compile(r"^The first 2\d\d messages are not shown any more")
    )
    assert page.locator("#responses").evaluate("list => list.textContent.length") < 3_200_000


def test_many_messages_are_sent_at_once(page, url):
    opened(page, url, "Import")
    for text in ("{}", '{"orderId": "b"}'):
        page.get_by_role("button", name="Add a message").click()
        page.get_by_role("textbox", name="Message of the request").last.fill(text)
    send(page)
    expect(responses(page)).to_contain_text('"count": 3')
    page.get_by_role("button", name="Remove message 2").click()
    send(page)
    expect(responses(page)).to_contain_text('"count": 2')
    link(page, "Talk").click()
    expect(editor(page)).to_have_value(re.compile(r"orderId"))
    editor(page).fill('{"orderId": "\N{SNOWMAN}"}')
    send(page)
    expect(responses(page)).to_contain_text('"orderId": "\N{SNOWMAN}"')
    link(page, "Import").click()
    expect(editor(page, 1)).to_have_value('{"orderId": "b"}')  # drafts stay


def test_a_call_is_cancelled(page, url):
    opened(page, url, "Wait")
    send(page)
    expect(page.get_by_role("button", name="Sending…")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(outcome(page)).to_have_text(re.compile(r"^canceled"))
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.get_by_text("Calls of this server").click()
    log = page.get_by_role("region", name="Calls")
    expect(log.get_by_role("row").filter(has_text=f"{SERVICE}/Waitconnectcanceled").first).to_be_visible()


def test_a_call_ends_with_its_method_out_of_sight(page, url):
    opened(page, url, "Wait")
    send(page)
    expect(outcome(page)).to_have_text("waiting…")
    link(page, "Get").click()
    expect(outcome(page)).to_be_empty()
    expect(editor(page)).to_have_value(re.compile('"id"'))
    send(page)
    expect(outcome(page)).to_have_text(re.compile("^ok"))
    expect(responses(page)).to_have_count(1)


def test_a_deadline_passes(page, url, watched):
    watched[0].allowed.add(f"/{SERVICE}/Wait")
    opened(page, url, "Wait")
    page.get_by_text("Headers and deadline").click()
    page.get_by_label("Deadline in milliseconds").fill("50")
    send(page)
    expect(outcome(page)).to_have_text(re.compile("^deadline_exceeded · HTTP 504"))


def test_an_error_is_shown_with_its_details(page, url, watched):
    watched[0].allowed.add(f"/{SERVICE}/Get")
    opened(page, url)
    editor(page).fill('{"id": "none"}')
    send(page)
    expect(outcome(page)).to_have_text(re.compile("^not_found · HTTP 404"))
    error = page.locator("#error")
    expect(error).to_contain_text("not_found there is no order <b>none</b>")
    expect(error.get_by_role("listitem")).to_contain_text("shop.v1.GetRequest")
    expect(error.get_by_role("listitem")).to_contain_text('"id": "<b>none</b>"')
    assert error.locator("b").count() == 0


LAID_OUT = """() => {
  const style = (element) => {
    const { fontFamily, fontSize, lineHeight, padding, whiteSpace } = getComputedStyle(element);
    return [fontFamily, fontSize, lineHeight, padding, whiteSpace, element.clientWidth, element.clientHeight];
  };
  const [area, layer] = [document.querySelector(".sheet > textarea"), document.querySelector(".layer")];
  return [style(area), style(layer), [area.scrollHeight - area.clientHeight, area.scrollTop]];
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_the_caret_is_where_the_text_is(page, url, width):
    page.set_viewport_size({"width": width, "height": 844})
    opened(page, url)
    editor(page).fill(f'{{"id": "{"word " * 40}",' + "\n" * 20 + "}")
    editor(page).press("Control+End")
    area, layer, hidden = page.evaluate(LAID_OUT)
    assert area == layer
    assert hidden == [0, 0]


def test_an_example_can_be_undone(page, url):
    opened(page, url)
    editor(page).fill('{"id": "mine"}')
    page.get_by_role("button", name="Example").click()
    expect(editor(page)).not_to_have_value('{"id": "mine"}')
    editor(page).press("Control+z")
    expect(editor(page)).to_have_value('{"id": "mine"}')


def test_names_and_values_are_completed(page, url):
    opened(page, url, "Talk")
    editor(page).fill("{")
    editor(page).press("End")
    editor(page).press_sequentially('"st')
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    expect(options).to_have_count(1)
    expect(options).to_have_text("statusStatus")
    editor(page).press("Enter")
    expect(editor(page)).to_have_value('{"status": ""')
    editor(page).press("Control+Space")
    expect(options).to_have_count(3)
    editor(page).press("ArrowDown")
    editor(page).press("Tab")
    expect(editor(page)).to_have_value('{"status": "STATUS_OPEN"')
    editor(page).press_sequentially(', "bySku": {"a": {"rep')
    expect(options).to_have_text("replacesOrder")
    editor(page).press("Escape")
    expect(options).to_have_count(0)
    editor(page).press_sequentially("l")
    expect(options).to_have_text("replacesOrder")
    editor(page).press("ArrowLeft")
    expect(options).to_have_count(0)


FAULTS = [
    pytest.param('{"lines": [{}, {"count": "x"}]}', '"x"', "lines[1].count: expected", "error", id="a value"),
    pytest.param('{"orderld": "1"}', '"orderld"', "did you mean orderId?", "warning", id="a name"),
    pytest.param('{"bySku": {"a b": 3}}', "3", "expected an object", "error", id="in a map"),
    pytest.param('{"status": "OPEN"}', '"OPEN"', "OPEN", "error", id="an enum"),
    pytest.param(
        '{"lines": [%s{"count": "x"}]}' % ('{"sku": "a"}, ' * 3000),
        '"x"',
        "lines[3000].count",
        "error",
        id="long",
    ),
    pytest.param('{"orderId": "a" "b"}', '"b"', "expected a comma or the end", "error", id="no JSON"),
]


@pytest.mark.parametrize(("text", "marked", "what", "level"), FAULTS)
def test_what_is_wrong_is_marked_where_it_is(page, url, text, marked, what, level):
    opened(page, url, "Talk")
    editor(page).fill(text)
    expect(page.locator("[data-mark]")).to_have_text(marked)
    expect(page.locator("[data-mark]")).to_have_attribute("data-mark", level)
    expect(page.locator(".editor .fault")).to_contain_text(what)
    editor(page).fill('{"orderId": "1"}')
    expect(page.locator("[data-mark]")).to_have_count(0)


CALLS = [
    ("Get", '{\n  "id": "it\'s ☃"\n}', r"order_?[iI]d.*it\\?'s ☃"),
    ("Import", '{"orderId": "it\'s"}', "count.*1"),
]


@pytest.mark.parametrize(("method", "request_text", "answered"), CALLS)
@pytest.mark.parametrize("form", ["curl", "dynconnect call", "Python"])
def test_a_request_is_copied_as_a_command_that_works(
    page, url, tmp_path, form, method, request_text, answered
):
    opened(page, url, method)
    editor(page).fill(request_text)
    page.get_by_text("Headers and deadline").click()
    page.get_by_label("Headers, a line each").fill('x-asks: it\'s "me"')
    page.get_by_label("Deadline in milliseconds").fill("9000")
    page.get_by_label("Copy as").select_option(form)
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#copied-note")).to_have_text(f"{form} is on the clipboard.")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == page.locator("#copied").inner_text() or form == "Python"
    script = tmp_path / "copied"
    script.write_text(text)
    command = [sys.executable, "-W", "error", script] if form == "Python" else ["bash", script]
    bins = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": bins}, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(answered, done.stdout)


def test_a_link_restores_the_method_and_what_is_sent(page, context, url):
    opened(page, url, "Import")
    editor(page).fill('{"orderId": "☃"}')
    page.get_by_role("button", name="Add a message").click()
    page.get_by_label("Copy as").select_option("Link")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#copied-note")).to_have_text("Link is on the clipboard.")
    other = context.new_page()
    other.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(other.get_by_role("heading", name="Import")).to_be_visible()
    expect(editor(other)).to_have_value('{"orderId": "☃"}')
    expect(editor(other, 1)).to_have_value("{}")


def test_the_history_outlives_the_page_and_keeps_no_headers(page, context, url):
    opened(page, url)
    page.get_by_text("Headers and deadline").click()
    page.get_by_label("Headers, a line each").fill("authorization: secret")
    editor(page).fill('{"id": "o-7"}')
    send(page)
    expect(outcome(page)).to_have_text(re.compile("^ok"))
    other = context.new_page()
    opened(other, url, "Talk")
    assert "secret" not in json.dumps(other.evaluate("({...localStorage})"))
    other.get_by_text("History", exact=True).click()
    entry = other.get_by_role("listitem").filter(has_text=re.compile(r"Get\s+ok"))
    entry.get_by_role("link").click()
    expect(other.get_by_role("heading", name="Get", exact=True)).to_be_visible()
    expect(editor(other)).to_have_value('{"id": "o-7"}')
    other.get_by_role("button", name="Clear the history").click()
    expect(entry).to_have_count(0)


KEPT = [
    "{",
    "3",
    "null",
    "[null, 3, {}]",
    '[{"method": "a/b", "messages": ["{}"], "code": "ok", "at": "now"}]',
]


@pytest.mark.parametrize("kept", KEPT)
def test_what_others_keep_in_the_browser_does_no_harm(page, url, kept):
    opened(page, url)
    page.evaluate("kept => localStorage.setItem('dynconnect.history', kept)", kept)
    page.reload()
    send(page)
    expect(outcome(page)).to_have_text(re.compile("^ok"))
    page.get_by_text("History", exact=True).click()
    expect(page.locator("#history").get_by_role("listitem")).to_have_count(1)


def test_calls_of_others_are_told_too(page, url):
    opened(page, url)
    page.get_by_text("Calls of this server").click()
    httpx.post(f"{url}/{SERVICE}/Get", json={"id": "none"})
    row = page.get_by_role("region", name="Calls").get_by_role("row").nth(1)
    expect(row).to_have_text(re.compile(rf"{SERVICE}/Getconnectnot_found[\d.]+ ms1$"))


@pytest.mark.parametrize("context", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_accessible(page, url, watched, width):
    watched[0].allowed.add(f"/{SERVICE}/Get")
    page.set_viewport_size({"width": width, "height": 844})
    opened(page, url)
    if width < 700:
        page.get_by_role("button", name="Methods").click()
    editor(page).fill('{"id": "none", "x": 1}')
    expect(page.locator("[data-mark]")).to_have_count(1)
    send(page)
    expect(page.locator("#error")).to_be_visible()
    for title in ("Headers and deadline", "Headers and trailers", "Calls of this server", "History"):
        page.get_by_text(title, exact=title == "History").click()
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    assert found["passes"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []


def test_it_fits_a_phone(page, url):
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, url, "Watch")
    expect(link(page, "Get")).to_be_hidden()
    page.get_by_role("button", name="Methods").click()
    link(page, "Get").click()
    expect(link(page, "Get")).to_be_hidden()
    expect(page.get_by_role("heading", name="Get", exact=True)).to_be_focused()
    send(page)
    expect(responses(page)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("context", [{"ignore_https_errors": True}], indirect=True)
@pytest.mark.parametrize("engine", ["hypercorn", "uvicorn"])
def test_it_works_over_http2_and_on_other_engines(page, shop, tmp_path, engine):
    tls = Certificates(tmp_path)
    with shop.serving("--engine", engine, "--tls-cert", tls.cert, "--tls-key", tls.key) as server:
        opened(page, server.url, "Talk")
        protocols = "performance.getEntriesByType('resource').map(entry => entry.nextHopProtocol)"
        assert set(page.evaluate(protocols)) == {"h2"}
        page.get_by_role("button", name="Add a message").click()
        send(page)
        expect(outcome(page)).to_have_text(re.compile("^ok .* 2 messages"))
        page.get_by_text("Calls of this server").click()
        expect(page.get_by_role("region", name="Calls").get_by_role("row")).to_have_count(2)
        page.goto("about:blank")


def test_it_is_not_there_in_production_unless_asked_for(page, shop):
    with shop.serving(command="serve") as server:
        assert page.request.get(server.url).status == 404
    with shop.serving("--explorer", "--workers", "2", command="serve") as server:
        opened(page, server.url)
        send(page)
        expect(outcome(page)).to_have_text(re.compile("^ok"))
        page.goto("about:blank")
