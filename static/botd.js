// The table of nodes as a table that can be sorted, filtered and followed. The page of the server stays until it stands,
// and stays for good when anything on the way to it fails.

import { Api } from "./api.js";
import { fillColumns } from "./choice.js";
import { Detail } from "./detail.js";
import { Filters } from "./filters.js";
import { Follower } from "./follow.js";
import { makeKeys } from "./keys.js";
import { Prefs } from "./prefs.js";
import { Status } from "./status.js";
import { makeTakeaway } from "./takeaway.js";
import { Table } from "./table.js";
import { el } from "./words.js";

const AGES_MS = 5000;

async function start(live) {
  const { table: tableUrl, status, sweeps, node, bundle } = live.dataset;
  const since = Number(live.dataset.since);
  const api = new Api({ table: tableUrl, status, sweeps: sweeps.replace(/\/0$/, "") });
  const [{ default: DataTable }, answer] = await Promise.all([import(bundle), api.whole()]);
  const prefs = new Prefs(storage());
  const table = new Table(DataTable, live.querySelector("#live-table"), {
    checks: answer.checks,
    nodeUrl: node,
    prefs,
    rows: answer.rows,
    families: [...live.querySelector("#live-family").options].map((option) => option.value),
  });
  const filters = new Filters(live, table, answer.checks.map((check) => check.name), since);
  const detail = new Detail(live, api, node);
  const line = new Status(live, table);
  const follower = new Follower(live, api, table, filters, line);
  fillColumns(live, table, prefs);
  makeKeys(live, table, detail, api);
  makeTakeaway(live, api, table, follower);
  table.on("draw", () => line.writeAges(api.now()));
  setInterval(() => line.writeAges(api.now()), AGES_MS);
  filters.apply();
  follower.start(answer);
  line.writeAges(api.now());
  await parsed();
  takeOver(live, filters);
}

/** Ends when all of the page is there: the script runs before, to have the rows on their way meanwhile. */
function parsed() {
  if (document.readyState !== "loading") return null;
  return new Promise((go) => document.addEventListener("DOMContentLoaded", go, { once: true }));
}

/** Puts the table in the place of the server's own, and keeps the filters where a link leads to the same page. */
function takeOver(live, filters) {
  live.hidden = false;
  performance.mark("botd-table");
  document.getElementById("plain").hidden = true;
  for (const note of document.querySelectorAll("main .problem")) if (!live.contains(note)) note.remove();
  for (const choice of document.querySelectorAll("#ask .now")) choice.hidden = true;
  document.getElementById("ask")?.addEventListener("submit", (event) => {
    event.target.action = live.dataset.page + location.hash;
    for (const field of event.target.querySelectorAll("[type=hidden]")) field.remove();
    for (const [name, value] of filters.inQuery) event.target.append(el("input", { type: "hidden", name, value }));
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("main a[href]");
    if (link && link.origin === location.origin && link.pathname === live.dataset.page && !link.hash) {
      const search = new URLSearchParams(link.search);
      for (const [name, value] of filters.inQuery) search.set(name, value);
      [link.search, link.hash] = [search, location.hash];
    }
  });
}

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null; // forbidden by the browser's settings
  }
}

await start(document.getElementById("live"));
