// The page of an action, or of several, follows it: parts of the server's own page as it is now take the place of those that stand here.

const PARTS = ["action-state", "action"];
const AGAIN_MS = 2000;

async function look() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of PARTS) {
    const [here, there] = [document.getElementById(id), page.getElementById(id)];
    const typing = here.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
    if (!there || typing || here.innerHTML === there.innerHTML) continue;
    here.replaceChildren(...there.childNodes);
    here.dataset.over = there.dataset.over ?? "";
  }
}

function isOver() {
  return document.getElementById("action").dataset.over === "1";
}

/** Where no stream is to be had, the page is asked now and then. */
async function poll() {
  try {
    await look();
  } catch {
    // The next look may succeed.
  }
  if (!isOver()) setTimeout(poll, AGAIN_MS);
}

/** One action has a stream of its moves; several that were pressed for together have none. */
function follow(stream) {
  const events = new EventSource(stream);
  const over = () => {
    events.close();
    poll();
  };
  events.addEventListener("move", () => look().catch(() => {}));
  events.addEventListener("end", over);
  events.onerror = over;
}

const stream = document.getElementById("action").dataset.events;
if (stream) follow(stream);
else poll();
