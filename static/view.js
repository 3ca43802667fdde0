// A view of the table: what is searched, filtered and sorted. It lives in the address, so that a link to the page is a
// link to the view. What the server knows too stands in the query, as curl gives it: ?family=ssh&any=fail&sort=-since.
// What only the page has stands behind the #: #q=gpu&ssh=fail. botd/board/choosing.py does the same for who has no script.

/** What a filter of a column, or of all columns together, may ask of readings. */
export const RESULTS = {
  fail: "fail",
  warn: "warn",
  unknown: "unknown",
  ok: "ok",
  skipped: "skipped",
  "not-ok": "not ok",
};

/** The filters that the server has too. */
const CHOICES = ["family", "diagnosis", "any", "only", "state"];
const IN_QUERY = [...CHOICES, "sort"];
const OWN = ["q", "state", "group", "any", "sort", "page"];
const MARKS = /[$^@#%~!*\-+]+$/;

export const EVERYTHING = Object.freeze({
  ...Object.fromEntries(CHOICES.map((name) => [name, ""])),
  q: "",
  group: "",
  checks: {},
  sort: [],
  page: 1,
});

/** The view that an address tells. What it does not understand it leaves out. */
export function parseView({ search, hash }, checks) {
  const [query, given] = [new URLSearchParams(search), new URLSearchParams(hash.replace(/^#/, ""))];
  const asked = checks.map((check) => [check, given.get(inAddress(check))]).filter(([, result]) => result in RESULTS);
  const either = (name) => (query.getAll(name).join(",") || given.get(name)) ?? ""; // older links have all behind the #
  const any = listed(either("any")).filter((result) => result in RESULTS);
  return {
    ...Object.fromEntries(["family", "diagnosis", "only"].map((name) => [name, listed(query.getAll(name).join(",")).join(",")])),
    any: any.join(","),
    state: listed(either("state")).map(bare).join(","),
    q: given.get("q") ?? "",
    group: given.get("group") ?? "",
    checks: Object.fromEntries(asked),
    sort: either("sort").split(",").filter(Boolean).map(parseSort),
    page: Math.max(1, Number.parseInt(given.get("page"), 10) || 1),
  };
}

/** The query of an address with the view in it, and all else that stands there. */
export function formatQuery(view, search) {
  const query = new URLSearchParams(search);
  for (const name of IN_QUERY) query.delete(name);
  for (const [name, value] of inQuery(view)) query.set(name, value);
  return query.size ? `?${readable(query)}` : "";
}

/** What stands of the view behind the #; empty where there is nothing. */
export function formatHash(view) {
  const words = new URLSearchParams();
  for (const name of ["q", "group"]) if (view[name]) words.set(name, view[name]);
  for (const [check, result] of Object.entries(view.checks)) words.set(inAddress(check), result);
  if (view.page > 1) words.set("page", view.page);
  return words.size ? `#${readable(words)}` : "";
}

/** The parameters of the query that a view has, with their values. */
export function inQuery(view) {
  const sort = view.sort.map(([name, way]) => (way === "desc" ? "-" : "") + (name === "node" ? "name" : name)).join(",");
  return [...CHOICES.map((name) => [name, view[name]]), ["sort", sort]].filter(([, value]) => value);
}

/** The filters as they stand in the address: `family=ssh any=fail`. */
export function wordsOf(view) {
  return CHOICES.filter((name) => view[name]).map((name) => `${name}=${view[name]}`).join(" ");
}

/** Whether any row is left out of the view. */
export function isFiltered(view) {
  return Boolean(view.q.trim() || view.group || wordsOf(view) || Object.keys(view.checks).length);
}

/**
 * A function that says whether a row belongs to the view. `checks` are the names in the order of a row's cells, `since` is
 * from when on a node is new.
 */
export function matcher(view, checks, since) {
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  const asked = Object.entries(view.checks).map(([check, result]) => [checks.indexOf(check), result]);
  const [families, rules, results, states] = ["family", "diagnosis", "any", "state"].map((name) => listed(view[name]));
  return (row) =>
    (!families.length || families.includes(row.family)) &&
    (!rules.length || rules.includes(row.rule)) &&
    (!states.length || states.includes(bareState(row))) &&
    (!results.length || results.some((result) => anyIs(row, result))) &&
    (!view.only || (row.since !== null && row.since >= since)) &&
    (!view.group || row.groups.includes(view.group)) &&
    asked.every(([index, result]) => is(row.cells[index][0], result)) &&
    words.every((word) => textOf(row).includes(word));
}

/** Slurm's state of a row in a word. */
export function stateOf(row) {
  return row.state ?? "not in Slurm";
}

/** The same in small letters and without the mark behind it: what is filtered by. */
export function bareState(row) {
  return bare(stateOf(row));
}

/** Whether any reading of the row is of this kind; for `ok` whether all are that were not skipped. */
export function anyIs(row, result) {
  if (result === "ok") return row.cells.every(([state]) => state === "ok" || state === "skipped");
  return row.cells.some(([state]) => is(state, result));
}

function is(state, result) {
  return result === "not-ok" ? state !== "ok" && state !== "skipped" : state === result;
}

/** Everything that stands in a row, small, for the search; made once and kept in the row. */
function textOf(row) {
  const told = [row.node, stateOf(row), row.diagnosis, row.reason, row.reason_by, ...row.groups];
  row.text ??= [...told, ...row.cells.map(([, text]) => text)].join("\n").toLowerCase();
  return row.text;
}

function listed(text) {
  return text.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);
}

function bare(state) {
  return state.toLowerCase().replace(MARKS, "");
}

/** `-load`; in older links `load:desc`. */
function parseSort(word) {
  const [name, way] = word.replace(/^-/, "").split(":");
  return [name === "name" ? "node" : name, word.startsWith("-") || way === "desc" ? "desc" : "asc"];
}

/** Parameters as a person would write them. */
function readable(words) {
  return String(words).replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/");
}

/** A check's name in the address; one that is called as our own words are gets a mark. */
function inAddress(check) {
  return OWN.includes(check) ? `check-${check}` : check;
}
