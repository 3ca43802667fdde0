// The clock of who reads, beside UTC: the server says UTC, because it does not know where its readers are.

const here = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const short = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

/** Adds the local time to the tip of each time, and beside it where it is a clock's time and no age; once to each. */
export function localise(root) {
  root.querySelectorAll("time[datetime]:not([data-here])").forEach(add);
}

function add(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) return;
  element.dataset.here = "";
  element.title = `${element.dateTime} (${here.format(at)} here)`;
  if (element.classList.contains("clock")) element.append(` (${short.format(at)} here)`);
}

localise(document);
