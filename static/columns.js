// The columns of the table: what each shows of a row, as nodes of text, and what it sorts by.

import { age, el } from "./words.js";
import { stateOf } from "./view.js";

const BAD = new Set(["fail", "warn", "unknown"]);

const WORSE = ["ok", "warn", "unknown", "fail"];

const collator = new Intl.Collator("en", { numeric: true });

/**
 * All columns in their first order: checks with something wrong in these rows stand first, the others last. `nodeUrl` is
 * what a node's name is put behind, `families` are in the order in which they sort.
 */
export function makeColumns(checks, nodeUrl, rows, families) {
  const columns = checks.map(checkColumn);
  const familyKey = (row) => (row.family ? families.indexOf(row.family) : null);
  const isBad = ({ index }) => rows.some(({ cells }) => BAD.has(cells[index][0]) && cells[index][3] !== null);
  return [
    { name: "node", title: "Node", key: (row) => row.rank, show: (row) => nodeLink(row, nodeUrl), fixed: true },
    { name: "state", title: "State", help: "Slurm's state", key: stateOf, show: slurmState },
    { name: "diagnosis", title: "Diagnosis", help: "What botd makes of it", key: diagnosisKey, show: diagnosis },
    { name: "since", title: "Since", help: "How long it has been so", key: since, show: sinceAge },
    { name: "by", title: "By", help: "Who set the reason", key: (row) => row.reason_by || null, show: by },
    { name: "reason", title: "Reason", help: "Slurm's reason", key: (row) => row.reason || null, show: reason },
    ...columns.filter(isBad),
    ...columns.filter((column) => !isBad(column)),
    { name: "read", title: "Read", help: "Age of the oldest reading", key: (row) => (row.oldest > 0 ? -row.oldest : null), show: readAge },
    { name: "groups", title: "Groups", key: (row) => row.groups.join(" "), show: groups, hidden: true },
    { name: "family", title: "Family", help: "What kind of cause it is", key: familyKey, show: family, hidden: true },
  ];
}

/** What a row needs beside what the server says of it. `rank` is its place in the server's order, which is natural. */
export function prepare(row, rank) {
  row.rank = rank;
  const times = row.cells.map((cell) => cell[3] ?? 0);
  row.oldest = Math.min(...times);
  row.newest = Math.max(...times);
  return row;
}

/** Orders two sort keys: numbers, then words as a person orders them; null comes last in both directions. */
export function compare(a, b, way) {
  if (a === null || b === null) return (a === null) - (b === null);
  const [x, y] = [typeof a === "number", typeof b === "number"];
  if (x !== y) return x ? -way : way;
  return way * (x ? a - b : collator.compare(a, b));
}

/** What a cell sorts by: its number; else, behind all numbers, how bad it is and its words. Skipped comes last. */
function sortKey([state, text, number]) {
  return state === "skipped" ? null : (number ?? `${WORSE.indexOf(state)} ${text}`);
}

/** A cell that holds a time; its age is written into it, and kept up to date, by writeAges. */
export function ageCell(at) {
  return el("time", { class: "age", "data-at": at || "" }, "");
}

/** Writes the ages of all age cells below an element, by the server's clock. */
export function writeAges(element, now) {
  for (const cell of element.querySelectorAll(".age[data-at]")) {
    const text = cell.dataset.at ? age(now - cell.dataset.at) : "never";
    if (cell.textContent !== text) cell.textContent = text;
  }
}

function checkColumn(check, index) {
  const show = (row) => {
    const [state, text] = row.cells[index];
    return state === "ok" ? document.createTextNode(text) : el("span", { class: state }, text);
  };
  const key = (row) => sortKey(row.cells[index]);
  return { name: check.name, title: check.title, help: check.help, key, show, check, index };
}

function nodeLink(row, nodeUrl) {
  return el("a", { href: nodeUrl + encodeURIComponent(row.node), tabindex: -1 }, row.node);
}

function slurmState(row) {
  const state = stateOf(row);
  const kind = /down|fail|error|not in/.test(state) ? "fail" : /drain|maint|unknown/.test(state) ? "warn" : null;
  return el("span", { class: kind }, state);
}

function reason(row) {
  return el("bdi", {}, row.reason);
}

function diagnosis(row) {
  return document.createTextNode(row.diagnosis);
}

function diagnosisKey(row) {
  return row.diagnosis || null;
}

function family(row) {
  return document.createTextNode(row.family);
}

function by(row) {
  return el("bdi", {}, row.reason_by);
}

function groups(row) {
  return document.createTextNode(row.groups.join(" "));
}

function readAge(row) {
  return ageCell(Number.isFinite(row.oldest) ? row.oldest : 0);
}

function since(row) {
  return row.since === null ? null : -row.since;
}

function sinceAge(row) {
  return row.since === null ? document.createTextNode("") : ageCell(row.since);
}
