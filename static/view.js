// A view of the table: what is searched, filtered and sorted. It lives in the address behind the #, so that a link
// to the page is a link to the view: #q=gpu&state=drained&ssh=fail&sort=load:desc

/** What a filter of a column, or of all columns together, may ask of readings. */
export const RESULTS = {
  fail: "fail",
  warn: "warn",
  unknown: "unknown",
  ok: "ok",
  skipped: "skipped",
  "not-ok": "not ok",
};

const OWN = ["q", "state", "group", "any", "sort", "page"];

export const EVERYTHING = Object.freeze({ q: "", state: "", group: "", any: "", checks: {}, sort: [], page: 1 });

/** The view that the part of an address behind the # tells. What it does not understand it leaves out. */
export function parseView(hash, checks) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const asked = checks.map((check) => [check, given.get(inAddress(check))]).filter(([, result]) => result in RESULTS);
  return {
    q: given.get("q") ?? "",
    state: given.get("state") ?? "",
    group: given.get("group") ?? "",
    any: given.get("any") in RESULTS ? given.get("any") : "",
    checks: Object.fromEntries(asked),
    sort: (given.get("sort") ?? "").split(",").filter(Boolean).map(parseSort),
    page: Math.max(1, Number.parseInt(given.get("page"), 10) || 1),
  };
}

/** The view as it stands in the address: empty when everything is shown in its first order. */
export function formatView(view) {
  const words = new URLSearchParams();
  for (const name of ["q", "state", "group", "any"]) if (view[name]) words.set(name, view[name]);
  for (const [check, result] of Object.entries(view.checks)) words.set(inAddress(check), result);
  if (view.sort.length) words.set("sort", view.sort.map(([name, way]) => `${name}:${way}`).join(","));
  if (view.page > 1) words.set("page", view.page);
  return words.size ? `#${String(words).replaceAll("%3A", ":").replaceAll("%2C", ",")}` : "";
}

/** Whether any row is left out of the view. */
export function isFiltered(view) {
  return Boolean(view.q.trim() || view.state || view.group || view.any || Object.keys(view.checks).length);
}

/** A function that says whether a row belongs to the view. `checks` are the names in the order of a row's cells. */
export function matcher(view, checks) {
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  const asked = Object.entries(view.checks).map(([check, result]) => [checks.indexOf(check), result]);
  return (row) =>
    (!view.state || stateOf(row) === view.state) &&
    (!view.group || row.groups.includes(view.group)) &&
    (!view.any || anyIs(row, view.any)) &&
    asked.every(([index, result]) => is(row.cells[index][0], result)) &&
    words.every((word) => textOf(row).includes(word));
}

/** Slurm's state of a row in a word. */
export function stateOf(row) {
  return row.state ?? "not in Slurm";
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
  row.text ??= [row.node, stateOf(row), row.reason, row.reason_by, ...row.groups, ...row.cells.map(([, text]) => text)]
    .join("\n")
    .toLowerCase();
  return row.text;
}

function parseSort(word) {
  const at = word.lastIndexOf(":");
  return at < 0 ? [word, "asc"] : [word.slice(0, at), word.slice(at + 1) === "desc" ? "desc" : "asc"];
}

/** A check's name in the address; one that is called as our own words are gets a mark. */
function inAddress(check) {
  return OWN.includes(check) ? `check-${check}` : check;
}
