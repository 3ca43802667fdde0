// A log of a node as it grows. The page has its last lines already, and keeps them where they cannot be followed.

const MOST = 2000; // lines that are kept

const log = document.getElementById("log");
const said = document.getElementById("log-said");
const events = new EventSource(log.dataset.events);
let isFirst = true;

/** Adds lines, and shows the newest unless somebody has scrolled away from it. */
function add(lines) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 20;
  if (isFirst) log.replaceChildren(); // they come once more, with what has come since
  isFirst = false;
  log.append(...lines.map((line) => document.createTextNode(`${line}\n`)));
  while (log.childNodes.length > MOST) log.firstChild.remove();
  log.hidden = false;
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

events.addEventListener("lines", (event) => {
  const { lines, left_out: leftOut } = JSON.parse(event.data);
  add(leftOut ? [`… ${leftOut} lines more than can be shown …`, ...lines] : lines);
  said.textContent = "Followed as it grows.";
});
events.addEventListener("end", (event) => {
  events.close();
  said.textContent = `It is not followed any more: ${JSON.parse(event.data).why}.`;
});
events.addEventListener("error", () => {
  events.close(); // and not again and again: each time the agent logs in to the node
  said.textContent = "It is not followed any more; load the page again for newer lines.";
});
