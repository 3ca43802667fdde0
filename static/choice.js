// Which columns show, and in which order. The choice is this browser's, not the link's.

import { el } from "./words.js";

/** Fills the list behind the button "Columns". */
export function fillColumns(live, table, prefs) {
  const list = live.querySelector("#live-columns ul");
  const write = () => list.replaceChildren(...table.order().slice(1).map((name) => entry(name, table, prefs)));
  table.on("columns-reordered", () => {
    prefs.setOrder(table.order());
    if (!list.contains(document.activeElement)) write();
  });
  table.on("length", () => (prefs.pageLength = table.pageLength));
  live.querySelector("#live-columns-reset").addEventListener("click", () => {
    prefs.reset();
    table.setOrder(["pick", ...table.columns.map((column) => column.name)]);
    for (const column of table.columns) table.setVisible(column.name, !column.hidden);
    write();
  });
  write();
}

function entry(name, table, prefs) {
  const column = table.named(name);
  const box = el("input", { type: "checkbox", checked: table.isVisible(name), disabled: column.fixed });
  box.addEventListener("change", () => {
    table.setVisible(name, box.checked);
    prefs.setVisible(name, box.checked);
  });
  const item = el("li", {}, el("label", {}, box, ` ${column.title}`));
  if (!column.fixed) item.append(mover(item, table, name, -1, "up"), mover(item, table, name, 1, "down"));
  return item;
}

/** A button that moves a column by one place; the list moves along and the focus stays on it. */
function mover(item, table, name, by, word) {
  const button = el("button", { type: "button", "aria-label": `Move ${table.named(name).title} ${word}` }, by < 0 ? "↑" : "↓");
  button.addEventListener("click", () => {
    const order = table.order();
    const [from, to] = [order.indexOf(name), order.indexOf(name) + by];
    if (to < 2 || to >= order.length) return;
    order.splice(to, 0, ...order.splice(from, 1));
    table.setOrder(order);
    if (by < 0) item.previousElementSibling.before(item);
    else item.nextElementSibling.after(item);
    button.focus();
  });
  return button;
}
