// The clock of who reads, beside UTC: the server says UTC, because it does not know where its readers are.

import { beside } from "./words.js";

const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Adds the local time to the tip of each time, and beside it where it is a clock's time and no age; once to each. */
export function localise(root) {
  root.querySelectorAll("time[datetime]:not([data-here])").forEach(add);
}

function add(element) {
  const at = new Date(element.dateTime);
  const local = Number.isNaN(at.getTime()) ? "" : beside(at);
  if (!local) return;
  element.dataset.here = "";
  element.title = `${element.dateTime} (${LONG.format(at)} here)`;
  if (element.classList.contains("clock")) element.append(local);
}

localise(document);
