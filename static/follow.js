// The table stays true: it asks now and then whether anything has changed, and follows every sweep while it runs.
// Of its own sweep, which somebody pressed for on this page, it shows how far it is; of those of others the rows alone.

import { Refused } from "./api.js";
import { age, el, nodes, withAges } from "./words.js";

const POLL_MS = 5000;
const BUSY_POLL_MS = 2000; // while a sweep runs whose events cannot be had
const FLUSH_MS = 500;
const MANY = 2000; // from here on the whole table is asked for instead of single nodes

/** Keeps the table of one page up to date, and says above it what it is worth. */
export class Follower {
  #api;
  #table;
  #filters;
  #line;
  #parts;
  #timer = null;
  #events = null;
  #sweep = null;
  #own = null;
  #asking = false;
  #finished = new Set();
  #problems = [];
  #lost = null;
  #said = "";

  constructor(live, api, table, filters, line) {
    this.#api = api;
    this.#table = table;
    this.#filters = filters;
    this.#line = line;
    const part = (name) => live.querySelector(`#live-${name}`);
    this.#parts = Object.fromEntries(["notes", "sweep", "progress", "progress-text", "check"].map((n) => [n, part(n)]));
    this.#parts.check.addEventListener("click", () => this.checkNow());
    for (const kind of ["draw", "select", "deselect"]) table.on(kind, () => this.#allow());
    document.addEventListener("visibilitychange", () => document.hidden || this.#poll());
    setInterval(() => this.#lost && this.#note(), POLL_MS);
  }

  /** Begins with the answer that the table was made from. */
  start(answer) {
    this.#take(answer);
    this.#later();
  }

  /** Has the selected nodes read now, else those that are shown. */
  async checkNow() {
    const meant = this.#table.meant()?.map((row) => row.node) ?? null;
    this.#asking = true;
    this.#allow();
    try {
      const answer = await this.#api.check(meant);
      this.#found();
      this.#own = answer.sweep;
      if (answer.sweep !== null) this.#follow({ sweep: answer.sweep, done: 0, total: answer.count });
      else this.#problems = answer.problems;
      this.#note();
    } catch (error) {
      this.#failed(error);
    }
    this.#asking = false;
    this.#allow();
  }

  /** Says something that went wrong on behalf of another part of the page. */
  tell(error) {
    this.#failed(error);
  }

  async #poll() {
    clearTimeout(this.#timer);
    try {
      const answer = await this.#api.whole();
      if (answer) {
        this.#table.replace(answer.rows);
        this.#filters.refresh();
        this.#take(answer);
      }
      this.#found();
    } catch (error) {
      this.#failed(error);
    }
    this.#later();
  }

  #later() {
    clearTimeout(this.#timer);
    if (document.hidden || this.#events) return;
    this.#timer = setTimeout(() => this.#poll(), this.#sweep ? BUSY_POLL_MS : POLL_MS);
  }

  /** What an answer says besides its rows. */
  #take(answer) {
    this.#problems = answer.problems;
    this.#line.reached = answer.reached;
    this.#note();
    if (this.#events) return;
    if (answer.running?.sweep !== this.#own) this.#rest();
    if (answer.running) this.#follow(answer.running);
  }

  // ---- a sweep ----

  #follow(sweep) {
    this.#events?.close();
    clearTimeout(this.#timer);
    this.#progress(sweep);
    const events = this.#api.events(sweep.sweep);
    this.#events = events;
    const flush = setInterval(() => this.#flush(), FLUSH_MS);
    const over = (next) => {
      events.close();
      clearInterval(flush);
      if (this.#events !== events) return;
      this.#events = null;
      this.#finished.clear();
      next();
    };
    events.addEventListener("progress", (event) => this.#hear(JSON.parse(event.data)));
    events.addEventListener("end", () => {
      if (this.#events === events) this.#rest();
      over(() => this.#poll());
    });
    // The browser connects again by itself, unless the server has refused: then the table is asked for now and then.
    events.addEventListener("error", () => events.readyState === EventSource.CLOSED && over(() => this.#later()));
  }

  #hear(sweep) {
    this.#progress(sweep);
    for (const node of sweep.finished) this.#finished.add(node);
  }

  async #flush() {
    const names = [...this.#finished].slice(0, MANY);
    if (!names.length) return;
    for (const name of names) this.#finished.delete(name);
    try {
      const known = this.#table.known(names);
      if (known.length) this.#table.update((await this.#api.some(known)).rows);
      this.#line.writeAges(this.#api.now());
      this.#found();
    } catch (error) {
      this.#failed(error);
    }
  }

  #progress(sweep) {
    this.#sweep = sweep.sweep;
    if (sweep.sweep !== this.#own) return;
    const { progress } = this.#parts;
    this.#parts.sweep.hidden = false;
    progress.max = Math.max(1, sweep.total);
    progress.value = sweep.done;
    this.#parts["progress-text"].textContent = `${sweep.done} of ${nodes(sweep.total)} read`;
  }

  #rest() {
    this.#sweep = this.#own = null;
    this.#parts.sweep.hidden = true;
    this.#allow();
  }

  /** The button is there to be pressed unless its own sweep runs, or there is no node to read. */
  #allow() {
    this.#parts.check.disabled = this.#asking || this.#own !== null || this.#table.meant()?.length === 0;
  }

  // ---- what is wrong ----

  #found() {
    if (this.#lost === null) return;
    this.#lost = null;
    this.#note();
  }

  #failed(error) {
    if (error instanceof Refused) this.#problems = [error.message];
    else if (error instanceof TypeError) this.#lost ??= Date.now(); // fetch: nobody answers
    else throw error;
    this.#note();
  }

  #note() {
    const since = this.#lost === null ? "" : age((Date.now() - this.#lost) / 1000);
    const lost = since && `botd has not answered for ${since}: these are the last readings. The page keeps asking.`;
    const said = [lost, ...this.#problems.map((text) => withAges(text, this.#api.now()))].filter(Boolean);
    if (said.join("\n") === this.#said) return;
    this.#said = said.join("\n");
    this.#parts.notes.replaceChildren(...said.map((text) => el("p", { class: "note", role: "alert" }, text)));
  }
}
