// What a browser remembers of its user: columns and rows per page. Without storage nothing is remembered.

const KEY = "botd.table";

export class Prefs {
  #saved;

  constructor(storage) {
    this.storage = storage;
    this.#saved = read(storage);
  }

  get pageLength() {
    return Number.isInteger(this.#saved.length) ? this.#saved.length : 100;
  }

  set pageLength(length) {
    this.#save({ length });
  }

  /** Whether a column shows; `usual` is what holds where nobody chose. */
  isVisible(name, usual) {
    return this.#saved.visible?.[name] ?? usual;
  }

  setVisible(name, visible) {
    this.#save({ visible: { ...this.#saved.visible, [name]: visible } });
  }

  /** The saved order of these columns as indexes into their first order; a column that is new stands in its place. */
  order(first) {
    const saved = (this.#saved.order ?? []).filter((name) => first.includes(name));
    const rest = first.filter((name) => !saved.includes(name));
    const names = saved.length ? [...saved] : rest;
    if (saved.length) for (const name of rest) names.splice(first.indexOf(name), 0, name);
    return names.map((name) => first.indexOf(name));
  }

  setOrder(names) {
    this.#save({ order: names });
  }

  /** Forgets the columns. */
  reset() {
    this.#save({ order: undefined, visible: undefined });
  }

  #save(change) {
    this.#saved = { ...this.#saved, ...change };
    try {
      this.storage?.setItem(KEY, JSON.stringify(this.#saved));
    } catch {
      // full, or forbidden: what was chosen holds for this page
    }
  }
}

function read(storage) {
  try {
    return JSON.parse(storage?.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
