// What people take away from the table: a hostlist for pdsh or Slurm, and CSV for a spreadsheet.

import { copy } from "./clipboard.js";
import { fold } from "./nodeset.js";
import { el, nodes } from "./words.js";

/** Makes the two buttons work: on the selected rows, or on all that are shown where none is selected. */
export function makeTakeaway(live, api, table, follower) {
  const status = live.querySelector("#live-status");
  live.querySelector("#live-list").addEventListener("click", () => copyHostlist(table, status));
  live.querySelector("#live-csv").addEventListener("click", () => saveCsv(api, table).catch((error) => follower.tell(error)));
}

function chosen(table) {
  const selected = table.selected();
  return selected.length ? selected : table.shown();
}

async function copyHostlist(table, status) {
  const names = chosen(table).map((row) => row.node);
  const text = fold(names);
  const field = el("input", { readonly: true, size: 40, "aria-label": "Hostlist" });
  field.value = text;
  const copied = await copy(text);
  status.replaceChildren(copied ? `Hostlist of ${nodes(names.length)} copied: ` : "Copy this: ", field);
  if (!copied) field.select();
}

/** Saves what the interface writes of these nodes and of the columns shown, in the order of the screen. */
async function saveCsv(api, table) {
  const names = chosen(table).map((row) => row.node);
  if (!names.length) return;
  const checks = table.order().filter((name) => table.named(name)?.check && table.isVisible(name));
  const [head, ...lines] = (await api.csv(names, checks)).trimEnd().split("\r\n");
  const byNode = new Map(lines.map((line) => [line.split(",", 1)[0], line]));
  const body = [head, ...names.map((name) => byNode.get(name))].filter(Boolean).join("\r\n");
  const url = URL.createObjectURL(new Blob([body, "\r\n"], { type: "text/csv" }));
  el("a", { href: url, download: "botd.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
