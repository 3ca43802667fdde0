// One cell in full: what was read, when, and in which words.

import { age, el, plain, utc } from "./words.js";
import { stateOf } from "./view.js";

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
    this.body.replaceChildren(column.check ? this.#known(row, column) : this.#slurm(row));
    if (!this.dialog.open) this.dialog.showModal();
    if (!column.check) return;
    try {
      const reading = await this.#api.reading(row.node, column.name);
      if (this.title.textContent === `${row.node}: ${column.title}`) this.body.replaceChildren(this.#full(reading, column));
    } catch (error) {
      this.body.append(el("p", { class: "note", role: "alert" }, `No more can be had: ${error.message}`));
    }
  }

  #known(row, column) {
    const [state, text, , at] = row.cells[column.index];
    return list([["Result", result(state)], ["Value", text], ["Read", this.#when(at)], ["Check", column.help]]);
  }

  #full(reading, column) {
    const at = reading.at === null ? null : Date.parse(reading.at) / 1000;
    return list([
      ["Result", result(reading.state)],
      ["Detail", el("bdi", {}, plain(reading.detail))],
      ["Value", value(reading)],
      ["Read", this.#when(at)],
      ["Took", reading.took_s === null ? "" : `${reading.took_s} s`],
      ["Check", column.help],
    ]);
  }

  #slurm(row) {
    return list([
      ["State", stateOf(row)],
      ["Reason", el("bdi", {}, row.reason)],
      ["Set by", el("bdi", {}, row.reason_by)],
      ["Set", row.reason_at === null ? "" : this.#when(row.reason_at)],
      ["Groups", row.groups.join(", ")],
    ]);
  }

  #when(at) {
    return at === null ? "never" : `${age(this.#api.now() - at)} ago, ${utc(at)}`;
  }
}

function result(state) {
  return el("strong", { class: state }, state);
}

/** A value as it stands in the interface: lists line by line, objects name by name. */
function value({ value, unit }) {
  if (value === null) return "";
  if (Array.isArray(value)) return lines(value.map(String));
  if (typeof value === "object") return lines(Object.entries(value).map(([key, item]) => `${key}: ${item}`));
  return plain(`${value}${unit ? ` ${unit}` : ""}`);
}

function lines(texts) {
  return el("ul", {}, ...texts.map((text) => el("li", {}, el("bdi", {}, plain(text)))));
}

/** Names and what they are; what is empty is left out. */
function list(entries) {
  const kept = entries.filter(([, what]) => what instanceof Node ? what.textContent : what);
  return el("dl", {}, ...kept.flatMap(([name, what]) => [el("dt", {}, name), el("dd", {}, what)]));
}
