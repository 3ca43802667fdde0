// The keyboard and the mouse on the cells: arrows move, Enter opens, Space selects, / searches, ? shows the keys.

import { age, el } from "./words.js";

const TAB_STOP = '[data-column][tabindex="0"]';
const SORT_BUTTON = ".dt-column-order[role=button]";

/**
 * Makes the table's cells reachable: one of them is in the tab order, and the arrows lead to the others and from the first
 * row up to the titles.
 */
export function makeKeys(live, table, detail, api) {
  const body = table.element.tBodies[0];
  table.element.setAttribute("role", "grid");
  for (const kind of ["draw", "order", "columns-reordered", "column-visibility"]) table.on(kind, () => keepOneTabStop(table.element));
  table.element.tHead.addEventListener("keydown", (event) => onTitleKey(event, body));
  body.addEventListener("focusin", (event) => moveTabStop(body, cellOf(event.target)));
  body.addEventListener("keydown", (event) => onKey(event, table, detail));
  body.addEventListener("click", (event) => onClick(event, table, detail));
  // By itself the focus comes back only to a cell that no sweep has drawn anew meanwhile.
  detail.dialog.addEventListener("close", () => body.querySelector(TAB_STOP)?.focus());
  for (const kind of ["mouseover", "focusin"]) body.addEventListener(kind, (event) => tellAge(event, table, api));
  makeShortcuts(live);
  makeSkip(table.element);
}

/** Keys that do something wherever the focus is, unless one types there. */
function makeShortcuts(live) {
  const help = live.querySelector("#live-keys");
  const shortcuts = { "/": () => live.querySelector("#live-q").focus(), "?": () => help.showModal() };
  live.querySelector("#live-help").addEventListener("click", shortcuts["?"]);
  help.addEventListener("click", (event) => event.target === help && help.close());
  document.addEventListener("keydown", (event) => {
    if (!(event.key in shortcuts) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    shortcuts[event.key]();
  });
}

/** A link behind the first one of the page, which leads past everything to the cells. The address keeps its view. */
function makeSkip(element) {
  const link = el("a", { class: "skip", href: "#live-table" }, "Skip to the table");
  link.addEventListener("click", (event) => {
    event.preventDefault();
    element.querySelector(TAB_STOP)?.focus();
  });
  document.querySelector(".skip").after(link);
}

function cellOf(target) {
  return target.closest("td, th");
}

function keepOneTabStop(element) {
  for (const title of element.querySelectorAll(SORT_BUTTON)) title.tabIndex = -1;
  if (element.querySelector(TAB_STOP)) return;
  element.querySelector("[data-column]")?.setAttribute("tabindex", 0);
}

function moveTabStop(body, cell) {
  if (!cell?.dataset.column) return;
  for (const old of body.querySelectorAll(TAB_STOP)) old.tabIndex = -1;
  cell.tabIndex = 0;
}

function onKey(event, table, detail) {
  const cell = cellOf(event.target);
  if (!cell?.dataset.column || event.altKey || event.metaKey) return;
  if (event.key === "Enter") open(cell, table, detail);
  else if (event.key === " ") table.toggle(cell.parentElement);
  else if (event.key === "PageDown") turn(table, "next");
  else if (event.key === "PageUp") turn(table, "previous");
  else if (!move(cell, event)) return;
  event.preventDefault();
}

/** Whether the key leads to another cell; the focus is there then. */
function move(cell, event) {
  const row = cell.parentElement;
  const last = event.ctrlKey ? row.parentElement.lastElementChild : row;
  const first = event.ctrlKey ? row.parentElement.firstElementChild : row;
  const to = {
    ArrowLeft: () => cell.previousElementSibling,
    ArrowRight: () => cell.nextElementSibling,
    ArrowUp: () => (row.previousElementSibling ?? titlesOf(row)).cells[cell.cellIndex],
    ArrowDown: () => row.nextElementSibling?.cells[cell.cellIndex],
    Home: () => first.querySelector("[data-column]"),
    End: () => last.lastElementChild,
  }[event.key];
  const target = to?.();
  if (target?.dataset.column) target.focus();
  else target?.querySelector(SORT_BUTTON)?.focus();
  return Boolean(to);
}

function titlesOf(row) {
  return row.closest("table").tHead.rows[0];
}

/** The arrows among the titles: to the ones beside, and down to the first row. Enter sorts, which DataTables does. */
function onTitleKey(event, body) {
  const title = cellOf(event.target);
  const to = {
    ArrowLeft: () => title.previousElementSibling?.querySelector(SORT_BUTTON),
    ArrowRight: () => title.nextElementSibling?.querySelector(SORT_BUTTON),
    ArrowDown: () => body.rows[0]?.cells[title.cellIndex],
  }[event.key];
  if (!to || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  to()?.focus();
}

function turn(table, way) {
  table.openPage(way);
  table.element.tBodies[0].querySelector("[data-column]")?.focus();
}

function onClick(event, table, detail) {
  const cell = cellOf(event.target);
  const copied = String(getSelection()); // marking text to copy it is not a click
  if (cell?.dataset.column && !event.target.closest("a") && !copied) open(cell, table, detail);
}

function open(cell, table, detail) {
  const { row, column } = table.at(cell);
  if (column.name === "node") cell.querySelector("a").click();
  else detail.open(row, column);
}

/** The age of the cell's reading as its title, made when somebody comes to look. */
function tellAge(event, table, api) {
  const cell = cellOf(event.target);
  if (!cell?.dataset.column) return;
  const { row, column } = table.at(cell);
  if (!column.check) {
    if (column.name === "reason") cell.title = row.reason;
    return;
  }
  const [state, text, , at] = row.cells[column.index];
  cell.title = `${state}: ${text}\n${at === null ? "never read" : `read ${age(api.now() - at)} ago`}`;
}
