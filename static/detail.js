// One cell in full: first a sentence that says what was read and when, below it the value as the interface has it.

import { age, clock, el, plain } from "./words.js";
import { stateOf } from "./view.js";

/** The state of a reading as the beginning of a sentence. */
const STATES = { ok: "Well", warn: "Warning", fail: "Failure", unknown: "Could not be read", skipped: "Not asked" };

/** The dialog of one page. */
export class Detail {
  #api;

  constructor(live, api, nodeUrl) {
    this.#api = api;
    this.dialog = live.querySelector("#live-detail");
    this.title = live.querySelector("#live-detail-title");
    this.body = live.querySelector("#live-detail-body");
    this.link = live.querySelector("#live-detail-link");
    this.nodeUrl = nodeUrl;
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  /** Shows a cell. What the server adds to a reading comes in when it has answered. */
  async open(row, column) {
    this.title.textContent = column.check ? `${row.node}: ${column.title}` : row.node;
    this.link.href = this.nodeUrl + encodeURIComponent(row.node);
    this.body.replaceChildren(...(column.check ? this.#known(row, column) : this.#slurm(row)));
    if (!this.dialog.open) this.dialog.showModal();
    if (!column.check) return;
    try {
      const reading = await this.#api.reading(row.node, column.name);
      if (this.title.textContent === `${row.node}: ${column.title}`) {
        this.body.replaceChildren(...this.#full(row, column, reading));
      }
    } catch (error) {
      this.body.append(el("p", { class: "note", role: "alert" }, `No more can be had: ${error.message}`));
    }
  }

  #known(row, column) {
    const [state, text, , at] = row.cells[column.index];
    return [sentence(state, bare(text)), this.#read(at), el("p", { class: "dim" }, column.help)];
  }

  #full(row, column, reading) {
    const at = reading.at === null ? null : Date.parse(reading.at) / 1000;
    const { value, unit, detail } = reading;
    const items = Array.isArray(value) ? [el("ul", {}, ...value.map((item) => el("li", {}, foreign(String(item)))))] : [];
    return [
      sentence(reading.state, bare(row.cells[column.index][1]), detail),
      ...items,
      this.#read(at, reading.took_s),
      el("p", { class: "dim" }, column.help),
      el("h3", {}, "Raw value"),
      el("pre", { tabindex: 0 }, raw({ state: reading.state, value, unit, detail })),
    ];
  }

  #slurm(row) {
    const told = row.diagnosis ? `${row.diagnosis}. ` : "";
    const set = [row.reason_by && ` by ${row.reason_by}`, row.reason_at !== null && ` ${this.#when(row.reason_at)}`];
    const entries = [
      ["State", stateOf(row)],
      ["Reason", foreign(row.reason)],
      ["Set", foreign(set.filter(Boolean).join("").trim())],
      ["Groups", row.groups.join(", ")],
    ];
    return [el("p", { class: "sentence" }, foreign(`${told}Slurm says: ${stateOf(row)}.`)), list(entries)];
  }

  #read(at, took) {
    return el("p", {}, at === null ? "Never read." : `Read ${this.#when(at)}${took == null ? "" : `, took ${took} s`}.`);
  }

  #when(at) {
    return `${age(this.#api.now() - at)} ago, ${clock(at)}`;
  }
}

/** `Failure: no answer; no answer to 3 packets.` What is said twice is said once. */
function sentence(state, text, detail) {
  const said = [text, detail && plain(detail)].filter((part, i, all) => part && !all.slice(i + 1).some((later) => later?.includes(part)));
  const end = /[.!?]$/.test(said.at(-1) ?? "") ? "" : ".";
  const words = said.length ? [": ", foreign(said.join("; ") + end)] : ["."];
  return el("p", { class: "sentence" }, el("strong", { class: state }, STATES[state] ?? state), ...words);
}

/** The text of a cell without the mark before it, which says what the sentence begins with. */
function bare(text) {
  return text.replace(/^(!!|!|\?|-)( |$)/, "");
}

/** Text of nodes and people, which neither turns the rest of the line around nor runs together with it. */
function foreign(text) {
  return el("bdi", {}, plain(text));
}

/** A reading as the interface writes it, line by line. */
function raw(reading) {
  return JSON.stringify(reading, null, 2).split("\n").map(visible).join("\n");
}

/** Like plain, and keeps the blanks before a line. */
function visible(line) {
  const [indent] = line.match(/^ */);
  return indent + plain(line.slice(indent.length));
}

/** Names and what they are; what is empty is left out. */
function list(entries) {
  const kept = entries.filter(([, what]) => (what instanceof Node ? what.textContent : what));
  return el("dl", {}, ...kept.flatMap(([name, what]) => [el("dt", {}, name), el("dd", {}, what)]));
}
