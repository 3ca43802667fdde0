// The controls over the table and the view in the address: each follows the other.

import {
  EVERYTHING,
  RESULTS,
  anyIs,
  bareState,
  formatHash,
  formatQuery,
  inQuery,
  isFiltered,
  matcher,
  parseView,
  wordsOf,
} from "./view.js";
import { el } from "./words.js";

const TYPING_MS = 150;

/** The filters of one page. They act on the table at once and stand in its address. */
export class Filters {
  #table;
  #checks;
  #since;
  #view = EVERYTHING;
  #applying = false;

  /** `since` is from when on a node is new. */
  constructor(live, table, checks, since) {
    this.#table = table;
    this.#checks = checks;
    this.#since = since;
    const named = (name) => [name, live.querySelector(`#live-${name}`)];
    this.controls = Object.fromEntries(["q", "family", "state", "group", "any"].map(named));
    this.only = live.querySelector("#live-only");
    this.families = Object.fromEntries([...this.controls.family.options].map((option) => [option.value, option.text]));
    this.results = new Map(checks.map((check) => [check, resultSelect(table.named(check))]));
    live.querySelector("#live-results").append(...[...this.results.values()].map((select) => select.parentElement));
    this.opener = live.querySelector("#live-filter");
    this.clear = live.querySelector("#live-clear");
    this.#listen();
  }

  /** Takes the view of the address over into the controls and the table. */
  apply() {
    this.#applying = true;
    this.#view = parseView(location, this.#checks);
    this.refresh();
    this.#table.sort = this.#view.sort;
    this.#filter();
    this.#table.page = this.#view.page;
    this.#applying = false;
    this.#show();
  }

  /** Offers what the rows have now, with how many of them have it. */
  refresh() {
    const rows = this.#table.all();
    const families = count(rows, (row) => (row.family ? [row.family] : []));
    const order = Object.keys(this.families);
    families.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
    fill(this.controls.family, "any", families, this.#view.family, this.families);
    fill(this.controls.state, "any", count(rows, (row) => [bareState(row)]), this.#view.state);
    fill(this.controls.group, "any", count(rows, (row) => row.groups), this.#view.group);
    const results = Object.keys(RESULTS).filter((result) => result !== "skipped");
    const counts = results.map((result) => [result, rows.filter((row) => anyIs(row, result)).length]);
    fill(this.controls.any, "any", counts, this.#view.any, { ...RESULTS, ok: "all ok" });
    this.controls.q.value = this.#view.q;
    this.only.checked = Boolean(this.#view.only);
    for (const [check, select] of this.results) select.value = this.#view.checks[check] ?? "";
    this.#show();
  }

  #listen() {
    let typing;
    this.controls.q.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#change(), TYPING_MS);
    });
    const { q: _search, ...filters } = this.controls;
    const selects = [...Object.values(filters), this.only, ...this.results.values()];
    for (const select of selects) select.addEventListener("change", () => this.#change());
    this.clear.addEventListener("click", () => {
      this.#view = { ...EVERYTHING, sort: this.#view.sort };
      this.refresh();
      this.#change();
      this.controls.q.focus();
    });
    addEventListener("hashchange", () => this.apply());
    for (const kind of ["order", "page"]) this.#table.on(kind, () => this.#applying || this.#save());
  }

  /** The controls say something else than before. */
  #change() {
    const checks = [...this.results].filter(([, select]) => select.value).map(([check, select]) => [check, select.value]);
    const simple = Object.fromEntries(Object.entries(this.controls).map(([name, control]) => [name, control.value]));
    const only = this.only.checked ? "new" : "";
    this.#view = { ...this.#view, ...simple, only, checks: Object.fromEntries(checks), page: 1 };
    this.#filter();
    this.#save();
    this.#show();
  }

  /** The parameters of the query that the view has: a form or a link to the same page takes them along. */
  get inQuery() {
    return inQuery(this.#view);
  }

  #filter() {
    this.#table.chosen = wordsOf(this.#view);
    this.#table.filter(matcher(this.#view, this.#checks, this.#since));
  }

  /** Writes the view into the address, in place: going back leads to the page before, not to the filter before. */
  #save() {
    this.#view = { ...this.#view, sort: this.#table.sort, page: this.#table.page };
    const { pathname, search } = location;
    history.replaceState(null, "", pathname + formatQuery(this.#view, search) + formatHash(this.#view));
  }

  #show() {
    this.clear.hidden = !isFiltered(this.#view);
    const { q, ...menu } = this.controls;
    const selects = [...Object.values(menu), ...this.results.values()];
    for (const control of [q, ...selects]) control.classList.toggle("on", Boolean(control.value));
    for (const [check, select] of this.results) this.#table.head(check).classList.toggle("on", Boolean(select.value));
    const set = selects.filter((select) => select.value).length + this.only.checked;
    this.opener.textContent = set ? `Filters (${set})` : "Filters";
  }
}

/** The select of a check in the menu, inside its label. */
function resultSelect({ title }) {
  const options = Object.entries(RESULTS).map(([value, text]) => el("option", { value }, text));
  const select = el("select", { "aria-label": `${title}: show only` }, el("option", { value: "" }, "any"), ...options);
  el("label", {}, `${title} `, select);
  return select;
}

/** How many rows have each of the words that `words` finds in them, in the order of the words. */
function count(rows, words) {
  const counts = new Map();
  for (const row of rows) for (const word of words(row)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
}

/** Puts options into a select. What is chosen stays offered, also when no row has it any more. */
function fill(select, first, counts, chosen, titles = {}) {
  const offered = counts.some(([word]) => word === chosen) || !chosen ? counts : [...counts, [chosen, 0]];
  const options = offered.map(([word, number]) => el("option", { value: word }, `${titles[word] ?? word} (${number})`));
  select.replaceChildren(el("option", { value: "" }, first), ...options);
  select.value = chosen;
}
