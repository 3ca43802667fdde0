// Small words and elements that every part of the page uses. Text from the server only ever becomes text nodes.

const SHORT = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

/** An element with attributes and children; a child that is no node becomes text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A span of seconds in one unit, rounded down, as botd/display/cells.py tells it: `12 s`, `3 min`, `26 h`, `12 d`. */
export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 90) return `${s} s`;
  if (s < 90 * 60) return `${Math.floor(s / 60)} min`;
  if (s < 36 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** `1 node`, `12 nodes`. */
export function nodes(count) {
  return `${count} node${count === 1 ? "" : "s"}`;
}

/** A time as the interface writes it, without milliseconds: `2026-11-23 20:16:37 UTC`. */
export function utc(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** The same with the clock of who reads beside it. */
export function clock(seconds) {
  return utc(seconds) + beside(new Date(seconds * 1000));
}

/** What stands behind a time of UTC: ` (Tue 01:46 here)`, nothing where the clock of who reads is the same. */
export function beside(at) {
  return at.getTimezoneOffset() === 0 ? "" : ` (${SHORT.format(at)} here)`;
}

/** The sentence with ages in place of the times in it: `it was last seen 3 min ago`. */
export function withAges(text, now) {
  return text.replace(/(?:at |of )?(\d{4}-\d\d-\d\dT[\d:.]+Z)/g, (_, time) => `${age(now - Date.parse(time) / 1000)} ago`);
}

/** Text of a node or a person on one line, without what could fool a reader, as botd/text.py has it. */
export function plain(text) {
  return text.replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "").replace(/[\p{C}\p{Z}]/gu, " ");
}
