// The keyboard and the mouse on the cells: arrows move, Enter opens, Space selects, / searches.

import { age } from "./words.js";

const TAB_STOP = '[data-column][tabindex="0"]';

/** Makes the table's cells reachable: one of them is in the tab order, and the arrows lead to the others. */
export function makeKeys(live, table, detail, api) {
  const body = table.element.tBodies[0];
  table.element.setAttribute("role", "grid");
  table.on("draw", () => keepOneTabStop(body));
  body.addEventListener("focusin", (event) => moveTabStop(body, cellOf(event.target)));
  body.addEventListener("keydown", (event) => onKey(event, table, detail));
  body.addEventListener("click", (event) => onClick(event, table, detail));
  // By itself the focus comes back only to a cell that no sweep has drawn anew meanwhile.
  detail.dialog.addEventListener("close", () => body.querySelector(TAB_STOP)?.focus());
  for (const kind of ["mouseover", "focusin"]) body.addEventListener(kind, (event) => tellAge(event, table, api));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    live.querySelector("#live-q").focus();
  });
}

function cellOf(target) {
  return target.closest("td, th");
}

function keepOneTabStop(body) {
  if (body.querySelector(TAB_STOP)) return;
  body.querySelector("[data-column]")?.setAttribute("tabindex", 0);
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
    ArrowUp: () => row.previousElementSibling?.cells[cell.cellIndex],
    ArrowDown: () => row.nextElementSibling?.cells[cell.cellIndex],
    Home: () => first.querySelector("[data-column]"),
    End: () => last.lastElementChild,
  }[event.key];
  const target = to?.();
  if (target?.dataset.column) target.focus();
  return Boolean(to);
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
