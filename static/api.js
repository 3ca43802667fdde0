// What the page asks the server, and nothing else does. The server's clock counts: ages must not depend on ours.

/** The longest age that the interface takes: whatever is known, however old. */
const KNOWN_S = 315360000;

/** The parameters of this page's address that name nodes and checks; the others are about how a page looks. */
const ASKED = ["groups", "g", "nodes", "h", "checks"];

/** An answer of the server that is an error. The message is the server's own, for a person. */
export class Refused extends Error {}

/** The server as one page sees it: what the address asks for, again and again. */
export class Api {
  #urls;
  #query;
  #etag = null;
  #skewMs = 0;

  constructor(urls, search) {
    this.#urls = urls;
    const given = new URLSearchParams(search);
    this.#query = new URLSearchParams([...given].filter(([name]) => ASKED.includes(name)));
  }

  /** Seconds since the epoch, by the server's clock. */
  now() {
    return (Date.now() + this.#skewMs) / 1000;
  }

  /** The whole table, or null when nothing has changed since the last one. */
  async whole() {
    const known = this.#etag ? { "If-None-Match": this.#etag } : {};
    const response = await this.#fetch(this.#table({}), { headers: known });
    if (response.status === 304) return null;
    const body = await response.json();
    this.#etag = response.headers.get("ETag");
    return body;
  }

  /** The table of some nodes. */
  async some(nodes) {
    return (await this.#post(this.#urls.table, { nodes })).json();
  }

  /** Has these nodes read now, or all that the address asks for; the answer names the sweep to follow. */
  async check(nodes) {
    const now = { max_age: 0, wait: 0 };
    const response = nodes
      ? await this.#post(this.#urls.table, { nodes, ...now })
      : await this.#fetch(this.#table(now));
    return response.json();
  }

  /** One node's readings of one check in full. */
  async reading(node, check) {
    const query = new URLSearchParams({ checks: check, max_age: KNOWN_S, wait: 0 });
    const body = await (await this.#fetch(`${this.#urls.status}/${encodeURIComponent(node)}?${query}`)).json();
    return body.nodes[0].readings[check];
  }

  /** These nodes and checks as the interface writes CSV: no cell of it is a formula. */
  async csv(nodes, checks) {
    const response = await this.#post(this.#urls.status, { nodes, checks, max_age: KNOWN_S, wait: 0, format: "csv" });
    return response.text();
  }

  /** The events of a sweep. */
  events(sweep) {
    return new EventSource(`${this.#urls.sweeps}/${sweep}/events`);
  }

  #table(parameters) {
    return `${this.#urls.table}?${new URLSearchParams([...this.#query, ...Object.entries(parameters)])}`;
  }

  async #post(url, body) {
    const checks = this.#query.get("checks");
    const asked = checks ? { checks: [checks], ...body } : body;
    const headers = { "Content-Type": "application/json" };
    return this.#fetch(url, { method: "POST", headers, body: JSON.stringify(asked) });
  }

  /** A response that is good or 304. Throws Refused for an error, TypeError where nobody answers. */
  async #fetch(url, options = {}) {
    const response = await fetch(url, { cache: "no-store", ...options });
    const date = Date.parse(response.headers.get("Date"));
    if (!Number.isNaN(date)) this.#skewMs = date - Date.now();
    if (response.ok || response.status === 304) return response;
    const body = await response.json().catch(() => null);
    throw new Refused(body?.error?.message ?? `the server answers with ${response.status}`);
  }
}
