// The morning round: hostlists are copied, nodes are checked, and the page keeps itself up to date without moving what
// is read. Everything in it is the server's own page: what changed is taken out of it as it stands there now.

import { Api, Refused } from "./api.js";
import { copy } from "./clipboard.js";
import { localise } from "./times.js";
import { age, nodes } from "./words.js";

const POLL_MS = 5000;
const AGES_MS = 5000;

/** Keeps one round true. */
class Round {
  #root;
  #api;
  #events = null;
  #sweep = null;
  #timer = null;
  #looks = Promise.resolve();
  #isLost = false;

  constructor(root) {
    this.#root = root;
    this.#api = new Api({ table: root.dataset.round, sweeps: root.dataset.sweeps.replace(/\/0$/, "") });
    root.addEventListener("submit", (event) => this.#checkNow(event));
    root.addEventListener("click", (event) => copyHostlist(event.target.closest(".copy")));
    document.addEventListener("visibilitychange", () => document.hidden || this.#poll());
    setInterval(() => this.#writeAges(), AGES_MS);
    showButtons(root);
    this.#poll();
  }

  /** Has the nodes of this round read now. */
  async #checkNow(event) {
    event.preventDefault();
    try {
      const { sweep, count } = await this.#api.check(null);
      if (sweep === null) this.#say("Everything was read a moment ago.");
      else this.#follow({ sweep, done: 0, total: count });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Asks whether anything is another, one look after the other, so that what the last one found stands. */
  #poll() {
    const look = () => this.#take();
    this.#looks = this.#looks.then(look, look);
  }

  async #take() {
    const found = await this.#look().catch((error) => this.#failed(error));
    if (found?.page) this.#takeOver(found.page);
    if (found?.running) this.#follow(found.running);
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  /** The page as it is now, null where nothing of it is another, and the sweep under way. */
  async #look() {
    const answer = await this.#api.whole();
    const page = answer ? await this.#page() : null; // the first answer may be of after this page was made
    if (this.#isLost) this.#say("");
    this.#isLost = false;
    return { page, running: answer?.running };
  }

  /** This page as it is now, without having nodes asked again; null where the server has another one to show. */
  async #page() {
    const url = new URL(location.href);
    for (const name of ["max_age", "wait"]) url.searchParams.delete(name);
    const page = new DOMParser().parseFromString(await this.#api.page(url), "text/html");
    return page.getElementById("round") ? page : null;
  }

  #follow(sweep) {
    if (this.#events) return;
    this.#progress(sweep);
    const events = this.#api.events(sweep.sweep);
    this.#events = events;
    const over = (after) => {
      events.close();
      this.#events = null;
      this.#progress(null);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#poll(), after);
    };
    events.addEventListener("progress", (event) => this.#progress(JSON.parse(event.data)));
    events.addEventListener("end", () => over(0));
    events.addEventListener("error", () => events.readyState === EventSource.CLOSED && over(POLL_MS));
  }

  #progress(sweep) {
    this.#sweep = sweep;
    this.#root.querySelector(".now button").disabled = sweep !== null;
    this.#say(sweep ? `Asking nodes now: ${sweep.done} of ${nodes(sweep.total)} read.` : "");
  }

  #failed(error) {
    if (error instanceof Refused) this.#say(`${error.message}.`);
    else if (error instanceof TypeError) this.#say("botd does not answer: this is how it was. The page keeps asking.");
    else throw error;
    this.#isLost = true;
  }

  #say(text) {
    const line = this.#root.querySelector(".sweep");
    line.hidden = text === "";
    if (line.textContent !== text) line.textContent = text;
  }

  #writeAges() {
    for (const time of this.#root.querySelectorAll("time[data-age]")) {
      const told = age(this.#api.now() - Date.parse(time.dateTime) / 1000).replace(" ", "\u00a0");
      if (time.textContent !== told) time.textContent = told;
    }
  }

  /** Puts the parts of the page as it is now in place of those that are others, and leaves the reader where he is. */
  #takeOver(page) {
    const fresh = page.getElementById("round");
    const anchor = anchorOf(this.#root);
    const held = document.activeElement?.closest("[id]")?.id;
    exchange(this.#root, fresh);
    holdAgain(held);
    document.title = page.title;
    if (this.#sweep) this.#progress(this.#sweep);
    showButtons(this.#root);
    this.#writeAges();
    localise(this.#root);
    anchor?.();
  }
}

/** Makes the children of a part those of a fresh one. A child with an id stays the same element where it is the same. */
function exchange(old, fresh) {
  const known = new Map([...old.children].filter((part) => part.id).map((part) => [part.id, part]));
  const wanted = [...fresh.childNodes].map((part) => merged(known.get(part.id), part));
  const kept = new Set(wanted);
  for (const part of [...old.childNodes]) if (!kept.has(part)) part.remove();
  for (const [place, part] of wanted.entries()) {
    if (old.childNodes[place] !== part) old.insertBefore(part, old.childNodes[place] ?? null);
  }
}

/** The old part where nothing but its ages is another; else the fresh one, opened as the old one was. */
function merged(old, fresh) {
  if (!old) return fresh;
  if (lasting(old) === lasting(fresh)) return old;
  if (old.matches(".line")) {
    exchange(old, fresh);
    return old;
  }
  if (old.matches(".family")) {
    exchange(old.querySelector(".rows"), fresh.querySelector(".rows"));
    for (const part of [":scope > .about", ":scope > summary"]) {
      const [there, now] = [old.querySelector(part), fresh.querySelector(part)];
      if (there && lasting(there) !== lasting(now)) there.replaceChildren(...now.childNodes);
    }
    return old;
  }
  if (old.open !== undefined) fresh.open = old.open;
  return fresh;
}

/** What a part says, without what the clock, the reader and this script change in it. */
function lasting(part) {
  const copy = part.cloneNode(true);
  copy.removeAttribute("open");
  for (const each of copy.querySelectorAll("[open]")) each.removeAttribute("open");
  for (const time of copy.querySelectorAll("time[data-age]")) {
    time.replaceChildren();
    time.removeAttribute("title");
    delete time.dataset.here;
  }
  for (const button of copy.querySelectorAll(".copy")) button.remove();
  return copy.outerHTML;
}

/** What brings the row at the top of the screen back to where it is now. */
function anchorOf(root) {
  if (scrollY === 0) return null;
  const row = [...root.querySelectorAll(".row")].find((each) => each.getBoundingClientRect().bottom > 0);
  if (!row) return null;
  const { id } = row;
  const { top } = row.getBoundingClientRect();
  return () => {
    const now = document.getElementById(id)?.getBoundingClientRect().top;
    if (now !== undefined && Math.abs(now - top) > 1) scrollBy({ top: now - top, behavior: "instant" });
  };
}

/** Gives the keyboard back to a part that was exchanged while it was there. */
function holdAgain(id) {
  const part = document.activeElement === document.body && id ? document.getElementById(id) : null;
  (part?.matches("button") ? part : part?.querySelector("summary, button"))?.focus({ preventScroll: true });
}

function showButtons(root) {
  for (const button of root.querySelectorAll(".copy")) button.hidden = false;
}

async function copyHostlist(button) {
  if (!button) return;
  const copied = await copy(button.dataset.hostlist);
  if (!copied) getSelection().selectAllChildren(button.previousElementSibling);
  button.textContent = copied ? "Copied" : "Selected";
}

new Round(document.getElementById("round"));
