// The controls over the table and the view in the address: each follows the other.

import { EVERYTHING, RESULTS, anyIs, formatView, isFiltered, matcher, parseView, stateOf } from "./view.js";
import { el } from "./words.js";

const TYPING_MS = 150;

/** The filters of one page. They act on the table at once and stand in its address. */
export class Filters {
  #table;
  #checks;
  #view = EVERYTHING;
  #applying = false;

  constructor(live, table, checks) {
    this.#table = table;
    this.#checks = checks;
    this.controls = Object.fromEntries(["q", "state", "group", "any"].map((name) => [name, live.querySelector(`#live-${name}`)]));
    this.heads = new Map(checks.map((check) => [check, headSelect(table, check)]));
    this.clear = live.querySelector("#live-clear");
    this.#listen();
  }

  /** Takes the view of the address over into the controls and the table. */
  apply() {
    this.#applying = true;
    this.#view = parseView(location.hash, this.#checks);
    this.refresh();
    this.#table.sort = this.#view.sort;
    this.#table.filter(matcher(this.#view, this.#checks));
    this.#table.page = this.#view.page;
    this.#applying = false;
    this.#show();
  }

  /** Offers what the rows have now, with how many of them have it. */
  refresh() {
    const rows = this.#table.all();
    fill(this.controls.state, "any", count(rows, (row) => [stateOf(row)]), this.#view.state);
    fill(this.controls.group, "any", count(rows, (row) => row.groups), this.#view.group);
    const results = Object.keys(RESULTS).filter((result) => result !== "skipped");
    const counts = results.map((result) => [result, rows.filter((row) => anyIs(row, result)).length]);
    fill(this.controls.any, "any", counts, this.#view.any, { ...RESULTS, ok: "all ok" });
    this.controls.q.value = this.#view.q;
    for (const [check, select] of this.heads) select.value = this.#view.checks[check] ?? "";
    this.#show();
  }

  #listen() {
    let typing;
    this.controls.q.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#change(), TYPING_MS);
    });
    const selects = [this.controls.state, this.controls.group, this.controls.any, ...this.heads.values()];
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
    const checks = [...this.heads].filter(([, select]) => select.value).map(([check, select]) => [check, select.value]);
    const simple = Object.fromEntries(Object.entries(this.controls).map(([name, control]) => [name, control.value]));
    this.#view = { ...this.#view, ...simple, checks: Object.fromEntries(checks), page: 1 };
    this.#table.filter(matcher(this.#view, this.#checks));
    this.#save();
    this.#show();
  }

  /** Writes the view into the address, in place: going back leads to the page before, not to the filter before. */
  #save() {
    this.#view = { ...this.#view, sort: this.#table.sort, page: this.#table.page };
    history.replaceState(null, "", location.pathname + location.search + formatView(this.#view));
  }

  #show() {
    this.clear.hidden = !isFiltered(this.#view);
    for (const control of [...Object.values(this.controls), ...this.heads.values()]) {
      control.classList.toggle("on", Boolean(control.value));
    }
  }
}

/** A small select in the head of a check's column; a click on it does not sort. */
function headSelect(table, check) {
  const title = table.named(check).title;
  const options = Object.entries(RESULTS).map(([value, text]) => el("option", { value }, text));
  const select = el("select", { "aria-label": `${title}: show only` }, el("option", { value: "" }, "any"), ...options);
  for (const kind of ["click", "mousedown", "touchstart", "keydown", "keypress"]) {
    select.addEventListener(kind, (event) => event.stopPropagation(), { passive: true });
  }
  table.head(check).append(select);
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
