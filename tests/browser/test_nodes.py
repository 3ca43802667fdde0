"""The table of nodes with JavaScript on the running program: what it shows, sorts, filters, keeps and gives away."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from botd.nodeset import expand, natural_key
from tests.browser.conftest import NODES, OpenTab
from tests.browser.tab import Tab
from tests.program import DemoProgram


def table(program: DemoProgram, query: str = "groups=all") -> Any:
    return program.json(f"/api/v1/table?{query}")


def names(program: DemoProgram, matches: Callable[[Any], bool]) -> list[str]:
    """The nodes whose rows are so, in natural order."""
    return [row["node"] for row in table(program)["rows"] if matches(row)]


def index(program: DemoProgram, check: str) -> int:
    return [each["name"] for each in table(program)["checks"]].index(check)


# ---- what it shows ----


def test_it_takes_the_place_of_the_page_without_scripts(tab: Tab) -> None:
    tab.open()
    expect(tab.find("#live")).to_be_visible()
    expect(tab.find("#plain")).to_be_hidden()


def test_it_shows_every_node_and_reading_in_the_words_of_the_interface(tab: Tab, program: DemoProgram) -> None:
    tab.open("/nodes?groups=all#page=1")
    body = table(program)
    assert tab.cells("node") == [row["node"] for row in body["rows"]]
    assert tab.cells("state") == [row["state"] for row in body["rows"]]
    for position, check in enumerate(body["checks"]):
        if check["name"] in ("ssh", "ipmi_state", "slurmd"):
            assert tab.cells(check["name"]) == [row["cells"][position][1] for row in body["rows"]]


def test_it_asks_what_the_address_asks(tab: Tab, program: DemoProgram) -> None:
    tab.open("/nodes?groups=savio2/n0000&groups=bigmem&checks=ping&checks=ssh")
    heads = tab.find("#live-table thead th .dt-column-title").all_inner_texts()
    assert heads[:7] == ["", "Node", "State", "Diagnosis", "Since", "By", "Reason"]
    assert sorted(heads[7:]) == ["Ping", "Read", "SSH"]
    assert tab.cells("node") == [row["node"] for row in table(program, "groups=savio2/n0000,bigmem")["rows"]]


def test_it_asks_for_its_rows_once(tab: Tab) -> None:
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.open("/nodes?groups=savio2,savio3&checks=ping,df/tmp")
    assert sum("/api/v1/table" in url for url in asked) == 1


def test_it_tells_a_state_by_its_mark_and_by_colour(tab: Tab, program: DemoProgram) -> None:
    position = index(program, "ssh")
    (sick, *_) = names(program, lambda row: row["cells"][position][0] == "fail")
    (well, *_) = names(program, lambda row: row["cells"][position][0] == "ok")
    tab.open()
    assert tab.cell(sick, "ssh").inner_text().startswith("!! ")
    ink = "cell => getComputedStyle(cell.firstElementChild ?? cell).color"
    assert tab.cell(sick, "ssh").evaluate(ink) != tab.cell(well, "ssh").evaluate(ink)


def test_it_tells_the_age_of_every_cell(tab: Tab, program: DemoProgram) -> None:
    tab.open()
    node = names(program, lambda row: True)[0]
    tab.cell(node, "ping").hover()
    expect(tab.cell(node, "ping")).to_have_attribute("title", re.compile(r"read \d+ (s|min) ago"))
    assert all(text.split()[1] in ("s", "min") for text in tab.cells("read"))


# ---- sorting ----


@pytest.mark.parametrize("check", ["uptime", "load", "df_scratch", "memory"])
def test_it_sorts_numbers_sizes_and_spans_by_what_they_are(tab: Tab, program: DemoProgram, check: str) -> None:
    tab.open()
    position = index(program, check)
    numbers = {row["node"]: row["cells"][position][2] for row in table(program)["rows"]}
    tab.sort(check)
    shown = [numbers[node] for node in tab.cells("node") if numbers[node] is not None]
    assert shown == sorted(shown, reverse=True)
    tab.sort(check)
    shown = [numbers[node] for node in tab.cells("node") if numbers[node] is not None]
    assert shown == sorted(shown)


def test_it_sorts_what_was_skipped_last_both_ways(tab: Tab) -> None:
    tab.open()
    for _ in range(2):
        tab.sort("uptime")
        cells = tab.cells("uptime")
        first = cells.index("-")
        assert first > 0
        assert set(cells[first:]) == {"-"}


def test_it_sorts_words_by_how_bad_they_are(tab: Tab) -> None:
    tab.open()
    tab.sort("ssh")
    cells = tab.cells("ssh")
    assert cells[0].startswith("!! ")
    assert cells[-1] == "up"
    assert cells == sorted(cells, reverse=True, key=lambda text: (text.startswith("!!"), text))


def test_what_sorts_alike_stays_in_the_order_of_the_nodes_both_ways(tab: Tab) -> None:
    tab.open()
    for _ in range(2):
        tab.sort("ipmi_state")
        alike = [node for node, text in zip(tab.cells("node"), tab.cells("ipmi_state"), strict=True) if text == "on"]
        assert len(alike) > 10
        assert alike == sorted(alike, key=natural_key)


def test_it_sorts_names_naturally(tab: Tab) -> None:
    tab.open()
    tab.sort("load")
    tab.sort("node")
    assert tab.cells("node") == sorted(tab.cells("node"), key=natural_key)
    assert tab.query.endswith("&sort=name")


# ---- search and filters ----


def test_it_finds_the_words_that_are_typed(tab: Tab, program: DemoProgram) -> None:
    tab.open()
    tab.find("#live-q").fill("savio2 no.answer".replace(".", " "))
    found = names(program, lambda row: "savio2" in row["node"] and any("no answer" in cell[1] for cell in row["cells"]))
    expect(tab.status).to_have_text(f"{NODES} nodes, {len(found)} shown")
    assert tab.cells("node") == found


def test_it_filters_by_state_group_and_result(tab: Tab, program: DemoProgram) -> None:
    tab.open()
    tab.choose("State", "drained")
    assert tab.cells("node") == names(program, lambda row: row["state"] == "drained")
    tab.choose("Group", "savio2")
    assert tab.cells("node") == names(program, lambda row: row["state"] == "drained" and "savio2" in row["groups"])
    tab.find("#live-clear").click()
    tab.choose("Readings", "fail")
    assert tab.cells("node") == names(program, lambda row: any(cell[0] == "fail" for cell in row["cells"]))


@pytest.mark.parametrize("result", ["fail", "ok", "skipped", "not-ok"])
def test_it_filters_by_the_result_of_a_check(tab: Tab, program: DemoProgram, result: str) -> None:
    position = index(program, "uptime" if result == "skipped" else "ssh")
    tab.open()
    tab.choose("Uptime: show only" if result == "skipped" else "SSH: show only", result)
    wanted = {"not-ok": ("fail", "warn", "unknown")}.get(result, (result,))
    found = names(program, lambda row: row["cells"][position][0] in wanted)
    assert found
    assert tab.cells("node") == found


def test_it_says_when_nothing_matches_and_takes_filters_back(tab: Tab) -> None:
    tab.open()
    tab.find("#live-q").fill("no such words")
    expect(tab.find("#live-table .dt-empty")).to_have_text("No node matches these filters.")
    tab.find("#live-clear").click()
    expect(tab.status).to_have_text(f"{NODES} nodes")
    assert tab.fragment == ""


def test_a_view_stands_in_its_link_and_survives_a_reload(tab: Tab, open_tab: OpenTab, program: DemoProgram) -> None:
    tab.open()
    tab.find("#live-q").fill("savio")
    tab.choose("State", "allocated")
    tab.choose("SSH: show only", "ok")
    tab.sort("uptime")
    assert (tab.query, tab.fragment) == ("groups=all&state=allocated&sort=-uptime", "q=savio&ssh=ok")
    shown = tab.cells("node")
    assert len(shown) > 2
    tab.page.reload()
    tab.page.wait_for_selector("#live-table tbody tr")
    assert tab.cells("node") == shown
    assert tab.find("#live-q").input_value() == "savio"
    colleague = open_tab(program.base)
    colleague.open(tab.page.url.removeprefix(program.base))
    assert colleague.cells("node") == shown


def test_a_link_that_is_pasted_into_the_open_page_is_followed(tab: Tab, program: DemoProgram) -> None:
    tab.open()
    tab.page.evaluate("location.hash = '#state=drained'")
    assert tab.cells("node") == names(program, lambda row: row["state"] == "drained")


@pytest.mark.parametrize(
    "choice",
    [
        "any=fail,warn&sort=-since",
        "family=ssh,colleague,file-system&sort=family,-name",
        "state=drained,down&only=new&since=2d&sort=diagnosis",
        "any=ok&sort=-load,name",
        "diagnosis=colleague&sort=reason,by",
    ],
)
def test_a_choice_in_the_query_is_the_same_with_the_script_and_without(
    tab: Tab, program: DemoProgram, choice: str
) -> None:
    rows = table(program, "groups=all&" + choice)["rows"]
    tab.open("/nodes?groups=all&" + choice)
    assert tab.cells("node") == [row["node"] for row in rows]
    words = " ".join(word for word in choice.split("&") if not word.startswith(("sort", "since")))
    expect(tab.status).to_contain_text(f"{len(rows)} shown: ")
    assert set(tab.status.inner_text().split("shown: ")[1].split()) == set(words.split())


def test_the_controls_write_what_curl_gives(tab: Tab) -> None:
    tab.open()
    tab.choose("Family", "colleague")
    tab.choose("Readings", "fail")
    tab.find("#live-filter").click()
    tab.find("#live-only").check()
    tab.page.keyboard.press("Escape")
    assert tab.query == "groups=all&family=colleague&any=fail&only=new"
    tab.find("#live-clear").click()
    assert tab.query == "groups=all"


def test_nonsense_in_a_link_shows_everything(tab: Tab) -> None:
    tab.open("/nodes?groups=all#sort=nothing:up,:&ssh=purple&page=-3&any=%3Cb%3E&what=ever&%")
    assert len(tab.cells("node")) == NODES


def test_links_to_groups_and_the_form_keep_the_filters(tab: Tab) -> None:
    tab.open("/nodes?groups=all#any=not-ok")
    tab.find("#groups a", has_text="savio2").first.click()
    tab.page.wait_for_url("**/nodes?groups=savio2&any=not-ok")
    tab.page.wait_for_selector("#live-table tbody tr")
    tab.find('#ask input[name="checks"]').fill("ping")
    tab.page.get_by_role("button", name="Show").click()
    tab.page.wait_for_url("**checks=ping*&any=not-ok")


# ---- columns ----


def test_columns_are_chosen_and_remembered(tab: Tab) -> None:
    tab.open()
    tab.page.get_by_role("button", name="Columns").click()
    tab.page.get_by_label("Uptime", exact=True).uncheck()
    tab.page.get_by_role("checkbox", name="Groups").check()
    tab.page.reload()
    tab.page.wait_for_selector("#live-table tbody tr")
    heads = tab.find("#live-table thead th .dt-column-title").all_inner_texts()
    assert "Uptime" not in heads
    assert "Groups" in heads


def test_columns_are_moved_by_keyboard_and_stay_there(tab: Tab) -> None:
    tab.open("/nodes?groups=all&checks=ping,ssh")
    tab.page.get_by_role("button", name="Columns").click()
    tab.page.get_by_role("button", name="Move SSH up").focus()
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Enter")
    heads = tab.find("#live-table thead th .dt-column-title")
    expected = ["", "Node", "State", "Diagnosis", "Since", "By", "SSH", "Reason", "Ping", "Read"]
    expect(heads).to_have_text(expected)
    assert tab.cells("ssh")[0] == tab.find("#live-table tbody tr").first.locator("td").nth(5).inner_text()
    tab.page.reload()
    tab.page.wait_for_selector("#live-table tbody tr")
    expect(heads).to_have_text(expected)
    tab.page.get_by_role("button", name="Columns").click()
    tab.page.get_by_role("button", name="As in the beginning").click()
    expect(heads).to_have_text(["", "Node", "State", "Diagnosis", "Since", "By", "Reason", "Ping", "SSH", "Read"])


def test_the_rows_of_a_page_are_chosen_and_remembered(tab: Tab) -> None:
    tab.open()
    expect(tab.find(".dt-length select")).to_have_value("100")
    tab.find(".dt-length select").select_option("All")
    tab.page.reload()
    expect(tab.find(".dt-length select")).to_have_value("-1")


# ---- details ----


def test_a_click_on_a_cell_opens_its_detail(tab: Tab, program: DemoProgram) -> None:
    position = index(program, "ssh")
    (node, *_) = names(program, lambda row: row["cells"][position][0] == "fail")
    detail = program.json(f"/api/v1/status/{node}?checks=ssh&max_age=9999")["nodes"][0]["readings"]["ssh"]["detail"]
    tab.open()
    tab.cell(node, "ssh").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{node}: SSH")
    expect(dialog).to_contain_text(detail)
    expect(dialog).to_contain_text("ago, 20")
    said = dialog.locator(".sentence")
    expect(said).to_have_text(re.compile(r"^Failure: .*\."))
    expect(dialog.locator("pre")).to_contain_text('"state": "fail"')
    assert said.bounding_box()["y"] < dialog.locator("pre").bounding_box()["y"]
    assert dialog.get_by_role("link", name="Page of this node").get_attribute("href") == f"/node/{node}"
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_click_on_the_reason_tells_who_set_it_and_when(tab: Tab, program: DemoProgram) -> None:
    row = next(row for row in table(program)["rows"] if row["reason"])
    tab.open()
    tab.cell(row["node"], "reason").click()
    dialog = tab.page.get_by_role("dialog")
    for text in (row["reason"], row["reason_by"], *row["groups"]):
        expect(dialog).to_contain_text(text)


def test_a_name_leads_to_the_page_of_the_node(tab: Tab) -> None:
    tab.open()
    node = tab.cells("node")[0]
    tab.page.get_by_role("link", name=node, exact=True).click()
    tab.page.wait_for_url(f"**/node/{node}")
    expect(tab.find("h1")).to_contain_text(node)


# ---- selection, hostlist, CSV ----


def test_selected_rows_are_copied_as_a_hostlist(open_tab: OpenTab, program: DemoProgram) -> None:
    tab = open_tab(program.base, permissions=["clipboard-read", "clipboard-write"]).open()
    shown = tab.cells("node")
    for node in shown[3:9]:
        tab.pick(node)
    expect(tab.status).to_have_text(f"{NODES} nodes, 6 selected")
    tab.page.get_by_role("button", name="Copy hostlist").click()
    expect(tab.status).to_contain_text("Hostlist of 6 nodes copied")
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert sorted(expand(copied)) == sorted(shown[3:9])
    assert tab.page.get_by_label("Hostlist").input_value() == copied


def test_without_the_clipboard_the_hostlist_is_there_to_be_copied(tab: Tab) -> None:
    tab.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    tab.open("/nodes?groups=all#state=drained")
    tab.page.get_by_role("button", name="Copy hostlist").click()
    expect(tab.status).to_contain_text("Copy this:")
    field = tab.page.get_by_label("Hostlist")
    assert sorted(expand(field.input_value())) == sorted(tab.cells("node"))
    assert tab.page.evaluate("getSelection().toString() || document.activeElement.value") == field.input_value()


def test_the_box_in_the_head_selects_what_is_shown(tab: Tab) -> None:
    tab.open("/nodes?groups=all#state=drained")
    count = len(tab.cells("node"))
    tab.page.get_by_label("Select all rows shown").check()
    expect(tab.status).to_contain_text(f"{count} selected")
    tab.find("#live-clear").click()
    expect(tab.status).to_have_text(f"{NODES} nodes, {count} selected")


def test_csv_is_what_the_interface_writes_of_the_rows_and_columns_shown(tab: Tab, program: DemoProgram) -> None:
    tab.open("/nodes?groups=all&checks=ping,ssh,uptime#state=drained&sort=uptime:desc")
    tab.page.get_by_role("button", name="Columns").click()
    tab.page.get_by_label("Ping", exact=True).uncheck()
    tab.page.keyboard.press("Escape")
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == "botd.csv"
    rows = list(csv.reader(io.StringIO(download.value.path().read_text())))
    assert [row[0] for row in rows[1:]] == tab.cells("node")
    _, text = program.get(
        f"/api/v1/status?nodes={','.join(tab.cells('node'))}&checks=ssh,uptime&format=csv&max_age=9999"
    )
    assert sorted(rows[1:]) == sorted(list(csv.reader(io.StringIO(text)))[1:])


# ---- the keyboard ----


def test_the_whole_table_is_one_tab_stop_and_arrows_move_in_it(tab: Tab) -> None:
    tab.open()
    here = "document.activeElement.dataset.column + ' ' + document.activeElement.parentElement.rowIndex"
    tab.find('#live-table tbody [tabindex="0"]').focus()
    assert tab.page.evaluate(here) == "node 1"
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"):
        tab.page.keyboard.press(key)
    assert tab.page.evaluate(here) == "state 2"
    tab.page.keyboard.press("End")
    assert tab.page.evaluate(here) == "read 2"
    tab.page.keyboard.press("Control+Home")
    assert tab.page.evaluate(here) == "node 1"
    assert tab.find('#live-table tbody [tabindex="0"]').count() == 1


def test_keys_select_a_row_and_open_a_cell_and_the_focus_comes_back(tab: Tab) -> None:
    tab.open()
    cell = tab.find('#live-table tbody [data-column="ping"]').nth(2)
    cell.focus()
    tab.page.keyboard.press(" ")
    expect(tab.status).to_have_text(f"{NODES} nodes, 1 selected")
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("dialog")).to_be_visible()
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_be_hidden()
    expect(cell).to_be_focused()


def test_the_focus_stays_on_a_cell_when_the_table_is_drawn_anew(tab: Tab, program: DemoProgram) -> None:
    tab.open()
    cell = tab.find('#live-table tbody [data-column="ping"]').nth(2)
    cell.focus()
    tab.page.evaluate(
        "new MutationObserver(() => window.isDrawn = true)"
        ".observe(document.querySelector('#live-table tbody'), { childList: true })"
    )
    program.json("/api/v1/status?groups=all&max_age=0")
    tab.page.wait_for_function("window.isDrawn")
    expect(cell).to_be_focused()


def test_a_slash_goes_to_the_search(tab: Tab) -> None:
    tab.open()
    tab.page.keyboard.press("/")
    expect(tab.find("#live-q")).to_be_focused()
    assert tab.find("#live-q").input_value() == ""


def test_a_title_is_sorted_by_from_the_keyboard(tab: Tab) -> None:
    tab.open()
    tab.find('#live-table tbody tr [data-column="load"]').first.focus()
    for key in ("ArrowUp", "ArrowRight", "ArrowLeft", "Enter"):
        tab.page.keyboard.press(key)
    expect(tab.find("#live-table thead th.h-load")).to_have_attribute("aria-sort", "descending")
    assert tab.query.endswith("sort=-load")
    tab.page.keyboard.press("ArrowDown")
    expect(tab.find('#live-table tbody tr [data-column="load"]').first).to_be_focused()


def test_few_stops_of_the_tab_key_stand_before_the_first_cell(tab: Tab) -> None:
    tab.open()
    tab.find("#live-q").focus()
    stops = 0
    while not tab.page.evaluate("document.activeElement.matches('tbody [data-column]')"):
        tab.page.keyboard.press("Tab")
        stops += 1
        assert stops < 12


def test_a_link_leads_past_everything_to_the_table_and_the_view_stays(tab: Tab) -> None:
    tab.open("/nodes?groups=all#q=savio")
    for _ in range(2):
        tab.page.keyboard.press("Tab")
    expect(tab.page.get_by_role("link", name="Skip to the table")).to_be_focused()
    tab.page.keyboard.press("Enter")
    expect(tab.find("#live-table tbody [data-column]").first).to_be_focused()
    assert tab.fragment == "q=savio"


def test_the_menu_says_how_many_filters_are_set_and_the_title_is_marked(tab: Tab) -> None:
    tab.open()
    tab.choose("SSH: show only", "fail")
    tab.choose("State", "drained")
    expect(tab.find("#live-filter")).to_have_text("Filters (2)")
    expect(tab.find("#live-table thead th.h-ssh")).to_have_class(re.compile(r"\bon\b"))
    tab.find("#live-clear").click()
    expect(tab.find("#live-filter")).to_have_text("Filters")


def test_a_question_mark_shows_the_keys_unless_one_types_it(tab: Tab) -> None:
    tab.open()
    tab.find("#live-q").press("?")
    dialog = tab.page.get_by_role("dialog", name="Keys")
    expect(tab.find("#live-q")).to_have_value("?")
    expect(dialog).to_be_hidden()
    tab.find("#live-clear").click()
    tab.find("#live-check").focus()
    tab.page.keyboard.press("?")
    expect(dialog).to_contain_text("Arrow keys")
    tab.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    tab.page.get_by_role("button", name="Keys").click()
    expect(dialog).to_be_visible()
