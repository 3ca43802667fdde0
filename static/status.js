// The line above the table: how many nodes there are, are shown and are selected, and how old what they say is.

import { age, nodes } from "./words.js";

/**
 * Keeps the line true: the counts whenever they change, the ages whenever `writeAges` is called. `reached` is the
 * server's sentence on what could not be reached.
 */
export class Status {
  reached = "";
  #table;

  constructor(live, table) {
    this.#table = table;
    this.counts = live.querySelector("#live-status");
    this.ages = document.getElementById("told");
    this.check = live.querySelector("#live-check");
    for (const kind of ["draw", "select", "deselect"]) table.on(kind, () => this.writeCounts());
    this.writeCounts();
  }

  writeCounts() {
    const [all, shown, selected] = [this.#table.all(), this.#table.shown(), this.#table.selected()].map((rows) => rows.length);
    const words = [nodes(all)];
    const { chosen } = this.#table;
    if (shown < all || chosen) words.push(chosen ? `${shown} shown: ${chosen}` : `${shown} shown`);
    if (selected) words.push(`${selected} selected`);
    this.#say(this.counts, words.join(", "));
    const meant = this.#table.meant();
    this.#say(this.check, meant ? `Check ${nodes(meant.length)} now` : "Check now");
  }

  /** Writes the ages everywhere, by the server's clock. */
  writeAges(now) {
    this.#table.writeAges(now);
    const rows = this.#table.shown();
    const oldest = rows.reduce((least, row) => Math.min(least, row.oldest), Infinity);
    const newest = rows.reduce((most, row) => Math.max(most, row.newest), 0);
    const read = Number.isFinite(oldest) && newest > 0;
    const from = oldest > 0 ? `${age(now - newest)} to ${age(now - oldest)} old` : `at best ${age(now - newest)} old; some were never taken`;
    this.#say(this.ages, [read ? `Readings are ${from}.` : "", this.reached].join(" ").trim());
  }

  /** A text is written only where it is another one: what has not changed is not read out again. */
  #say(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }
}
