// The one DataTables table of the page: rows in, rows out, and nothing of the server or of the address.

import { compare, makeColumns, prepare, writeAges } from "./columns.js";
import { el } from "./words.js";

const MANY = 2000; // more rows on one page take a browser many seconds

const WORDS = {
  info: "_START_ to _END_ of _TOTAL_",
  infoEmpty: "",
  infoFiltered: "",
  lengthMenu: "_MENU_ per page",
  lengthLabels: { "-1": "All" },
  emptyTable: "No node is in this list.",
  zeroRecords: "No node matches these filters.",
  select: { aria: { rowCheckbox: "Select row", headerCheckbox: "Select all rows shown" } },
};

/** The table of one page. `columns` are those of makeColumns, in their first order. */
export class Table {
  /** The filters in words, as the line above tells them. */
  chosen = "";
  #table;
  #rows = new Map();

  constructor(DataTable, element, { checks, nodeUrl, prefs, rows, families }) {
    DataTable.type("botd", { order: { asc: (a, b) => compare(a, b, 1), desc: (a, b) => compare(a, b, -1) } });
    this.columns = makeColumns(checks, nodeUrl, rows, families);
    this.element = element;
    element.append(header(this.columns));
    const lengths = [50, 100, 500, rows.length > MANY ? MANY : -1];
    this.#table = new DataTable(element, {
      data: rows.map(prepare),
      columns: [pick(DataTable), ...this.columns.map((column) => definition(column, prefs))],
      autoWidth: false,
      colReorder: { columns: ":gt(1)", order: prefs.order(["pick", ...this.columns.map((column) => column.name)]) },
      deferRender: true,
      language: WORDS,
      layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: ["pageLength", "paging"] },
      lengthMenu: lengths,
      order: [],
      orderClasses: false,
      orderFixed: { post: [[1, "asc"]] }, // what is alike stands in the order of the nodes, whichever way it is sorted
      pageLength: lengths.includes(prefs.pageLength) ? prefs.pageLength : 500,
      select: { style: "multi+shift", selector: "td.pick", headerCheckbox: true, info: false },
    });
    this.#index();
  }

  /** Calls `heard` after every change of this kind: "draw", "order", "page", "length", "column-reorder", "select". */
  on(kind, heard) {
    this.#table.on(kind, heard);
  }

  /** Takes over a whole answer: what is new is added, what is gone leaves, what stays keeps its selection. */
  replace(rows) {
    const fresh = rows.filter((row) => !this.#rows.has(row.node));
    this.#write(rows.map((row, rank) => [row, rank]).filter(([row]) => this.#rows.has(row.node)));
    const names = new Set(rows.map((row) => row.node));
    const gone = [...this.#rows].filter(([name]) => !names.has(name)).map(([, known]) => known.index);
    if (gone.length) this.#table.rows(gone).remove();
    if (fresh.length) this.#table.rows.add(fresh.map((row) => prepare(row, rows.indexOf(row))));
    if (gone.length || fresh.length) this.#index();
    const focused = document.activeElement;
    this.#table.draw(false); // which takes the rows out and puts them in again
    if (this.element.contains(focused)) focused.focus({ preventScroll: true });
  }

  /** Writes newer readings into rows that are there, where they stand: nothing moves under the reader's hand. */
  update(rows) {
    const there = rows.filter((row) => this.#rows.has(row.node));
    this.#write(there.map((row) => [row, this.#rows.get(row.node).row.rank]));
  }

  /** Those of these names that the table has. */
  known(names) {
    return names.filter((name) => this.#rows.has(name));
  }

  /** Shows the rows for which this is true, on the page that is open as far as there is one. */
  filter(matches) {
    this.#table.search.fixed("view", (_text, row) => matches(row)).draw();
  }

  /** How the table is sorted: `[["load", "desc"]]`. */
  get sort() {
    return this.#table.order().map(([index, way]) => [this.#table.column(index).name(), way]);
  }

  set sort(sort) {
    const known = sort.filter(([name]) => this.columns.some((column) => column.name === name));
    this.#table.order(known.map(([name, way]) => [this.#column(name).index(), way]));
  }

  /** The number of the open page, from 1. */
  get page() {
    return this.#table.page() + 1;
  }

  set page(page) {
    const last = this.#table.page.info().pages;
    const index = Math.max(0, Math.min(page, last) - 1);
    if (index !== this.#table.page()) this.#table.page(index).draw("page");
  }

  /** Rows on a page; -1 for all. */
  get pageLength() {
    return this.#table.page.len();
  }

  /** Every row, then those that are shown, in their order on the screen, then those that are selected. */
  all() {
    return this.#table.rows().data().toArray();
  }

  shown() {
    return this.#table.rows({ search: "applied", order: "applied" }).data().toArray();
  }

  selected() {
    return this.#table.rows({ selected: true, order: "applied" }).data().toArray();
  }

  /** What "Check now" is about: the rows that are selected, else those that a filter leaves; null for the whole page. */
  meant() {
    const [selected, shown] = [this.selected(), this.shown()];
    if (selected.length) return selected;
    return shown.length < this.all().length ? shown : null;
  }

  toggle(tr) {
    const row = this.#table.row(tr);
    if (row.selected()) row.deselect();
    else row.select();
  }

  /** The row and the column of a cell's element. */
  at(cell) {
    const { row, column } = this.#table.cell(cell).index();
    return { row: this.#table.row(row).data(), column: this.named(this.#table.column(column).name()) };
  }

  named(name) {
    return this.columns.find((column) => column.name === name);
  }

  /** The header cell of a column, also while it is hidden. */
  head(name) {
    return this.#column(name).header();
  }

  /** The names of the columns as they stand, with the hidden ones where they would be. */
  order() {
    return this.#table.columns().names().toArray();
  }

  isVisible(name) {
    return this.#column(name).visible();
  }

  setVisible(name, visible) {
    this.#column(name).visible(visible);
  }

  setOrder(names) {
    const first = ["pick", ...this.columns.map((column) => column.name)];
    this.#table.colReorder.order(names.map((name) => first.indexOf(name)), true);
  }

  openPage(way) {
    this.#table.page(way).draw("page");
  }

  writeAges(now) {
    writeAges(this.element, now);
  }

  #column(name) {
    return this.#table.column(`${name}:name`);
  }

  #index() {
    const indexes = this.#table.rows().indexes().toArray();
    this.#rows = new Map(this.all().map((row, i) => [row.node, { row, index: indexes[i] }]));
  }

  /** Writes rows and their ranks over those that are there. All at once: one by one costs a second for 10,000. */
  #write(rows) {
    const changed = [];
    for (const [row, rank] of rows) {
      const old = this.#rows.get(row.node).row;
      row.cells.forEach(([state], i) => state !== old.cells[i][0] && changed.push([row.node, i]));
      Object.assign(old, prepare(row, rank), { text: null });
    }
    if (!rows.length) return;
    this.#table.rows(rows.map(([row]) => this.#rows.get(row.node).index)).invalidate();
    for (const [node, check] of changed) this.#light(node, check);
  }

  /** Lights up a cell whose state is another one than before, if it is on the screen. */
  #light(node, check) {
    const tr = this.#table.row(this.#rows.get(node).index).node();
    if (!tr?.isConnected || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const { name } = this.columns.find((column) => column.index === check);
    const cell = tr.querySelector(`[data-column="${CSS.escape(name)}"]`);
    cell?.animate({ backgroundColor: ["var(--flash)", "transparent"] }, 1500);
  }
}

function header(columns) {
  const cells = columns.map((column) => el("th", { scope: "col", class: `h-${column.name}`, title: column.help }, column.title));
  return el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "pick" }), ...cells));
}

function pick(DataTable) {
  const createdCell = (cell) => cell.firstChild.setAttribute("tabindex", -1);
  return { name: "pick", data: null, className: "pick", orderable: false, render: DataTable.render.select(), createdCell };
}

function definition(column, prefs) {
  return {
    name: column.name,
    data: null,
    type: "botd",
    orderSequence: column.check ? ["desc", "asc", ""] : ["asc", "desc", ""],
    className: `c-${column.check ? "check" : column.name}`,
    cellType: column.name === "node" ? "th" : "td",
    searchable: false,
    visible: prefs.isVisible(column.name, !column.hidden),
    render: (_data, kind, row) => (kind === "display" ? column.show(row) : kind === "sort" ? column.key(row) : ""),
    createdCell: (cell) => {
      cell.tabIndex = -1;
      cell.dataset.column = column.name;
      if (column.name === "node") cell.scope = "row";
    },
  };
}
