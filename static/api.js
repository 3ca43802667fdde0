// What the page asks the server, and nothing else does. The server's clock counts: ages must not depend on ours.

/** The longest age that the interface takes: whatever is known, however old. */
const KNOWN_S = 315360000;

/** An answer of the server that is an error. The message is the server's own, for a person. */
export class Refused extends Error {}

/** The server as one page sees it. `urls.table` names the nodes and checks of the page: it is asked again and again. */
export class Api {
  #urls;
  #etag = null;
  #skewMs = 0;

  constructor(urls) {
    this.#urls = urls;
  }

  /** Seconds since the epoch, by the server's clock. */
  now() {
    return (Date.now() + this.#skewMs) / 1000;
  }

  /** The whole table, or null when nothing has changed since the last one. */
  async whole() {
    const again = { cache: "no-store", headers: { "If-None-Match": this.#etag } };
    // The first time the page has asked for it already (rel=preload), which only a plain request can make use of.
    const response = await this.#fetch(this.#urls.table, this.#etag ? again : { cache: "default" });
    if (response.status === 304) return null;
    const body = await response.json();
    this.#etag = response.headers.get("ETag");
    return body;
  }

  /** The table of some nodes. */
  async some(nodes) {
    return (await this.#post(this.#url.pathname, { nodes })).json();
  }

  /** Has these nodes read now, or all that the page is about; the answer names the sweep to follow. */
  async check(nodes) {
    const now = { max_age: 0, wait: 0 };
    if (nodes) return (await this.#post(this.#url.pathname, { nodes, ...now })).json();
    const url = this.#url;
    for (const [name, value] of Object.entries(now)) url.searchParams.set(name, value);
    return (await this.#fetch(url)).json();
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

  /** A page of this server as it is now. */
  async page(url) {
    return (await this.#fetch(url, { headers: { Accept: "text/html" } })).text();
  }

  /** The events of a sweep. */
  events(sweep) {
    return new EventSource(`${this.#urls.sweeps}/${sweep}/events`);
  }

  get #url() {
    return new URL(this.#urls.table, location.href);
  }

  async #post(url, body) {
    const checks = this.#url.searchParams.getAll("checks");
    const asked = checks.length ? { checks, ...body } : body;
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
