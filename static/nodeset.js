// Node names folded into a nodeset, as botd/nodeset.py reads it: n[0003,0005-0007].savio2,n0001.savio3

const NAME = /^([^.]*?)(\d+)([^\d.]*(?:\..*)?)$/; // the last number before the first dot varies: r1n[01-40].savio2

/** These names as nodesets with one bracket each, in the order in which their first names come. */
export function fold(names) {
  const stems = new Map();
  for (const name of new Set(names)) {
    const [, head, digits, tail] = NAME.exec(name) ?? [null, name, null, ""];
    const key = digits === null ? name : `${head}\n${tail}`;
    if (!stems.has(key)) stems.set(key, { head, tail, numbers: [] });
    if (digits !== null) stems.get(key).numbers.push(digits);
  }
  return [...stems.values()].map(written).join(",");
}

function written({ head, tail, numbers }) {
  if (numbers.length < 2) return head + numbers.join("") + tail;
  return `${head}[${ranges(numbers).join(",")}]${tail}`;
}

/** Numbers as text, as ranges. What comes next in a range is as wide as its first number, or has outgrown it. */
function ranges(numbers) {
  const runs = [];
  for (const digits of [...numbers].sort(byNumber)) {
    const run = runs.at(-1);
    if (run && digits === String(BigInt(run.last) + 1n).padStart(run.first.length, "0")) run.last = digits;
    else runs.push({ first: digits, last: digits });
  }
  return runs.map(({ first, last }) => (first === last ? first : `${first}-${last}`));
}

function byNumber(a, b) {
  const difference = BigInt(a) - BigInt(b);
  return difference === 0n ? a.length - b.length : Number(difference > 0n) * 2 - 1;
}
