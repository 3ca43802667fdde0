// Arrow keys in the picture of the cluster: one tab stop per group, and the arrows move between its squares.
// Without this script every square is a plain link.

const STEPS = new Map([["ArrowRight", 1], ["ArrowLeft", -1], ["ArrowDown", "down"], ["ArrowUp", "up"]]);

/** The square above or below another, in the next line of the same group; the nearest where lines differ in length. */
function vertical(squares, from, direction) {
  const { left, top } = from.getBoundingClientRect();
  const places = squares.map((square) => ({ square, at: square.getBoundingClientRect() }));
  const beyond = places.filter(({ at }) => (direction === "down" ? at.top > top : at.top < top));
  if (!beyond.length) return from;
  const line = direction === "down" ? Math.min(...beyond.map(({ at }) => at.top)) : Math.max(...beyond.map(({ at }) => at.top));
  const there = beyond.filter(({ at }) => at.top === line);
  return there.reduce((best, one) => (Math.abs(one.at.left - left) < Math.abs(best.at.left - left) ? one : best)).square;
}

function target(squares, from, key) {
  if (key === "Home") return squares[0];
  if (key === "End") return squares.at(-1);
  const step = STEPS.get(key);
  if (typeof step === "string") return vertical(squares, from, step);
  return squares[Math.min(squares.length - 1, Math.max(0, squares.indexOf(from) + step))];
}

function makeOneStop(group) {
  const squares = [...group.querySelectorAll("a")];
  squares.slice(1).forEach((square) => { square.tabIndex = -1; });
  group.addEventListener("keydown", (event) => {
    const known = STEPS.has(event.key) || event.key === "Home" || event.key === "End";
    if (!known || event.ctrlKey || event.altKey || event.metaKey) return;
    const next = target(squares, event.target, event.key);
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

document.querySelectorAll(".squares").forEach(makeOneStop);
