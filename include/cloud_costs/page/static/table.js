// Tables: sorted by a click on a heading, exact when copied, and readable by people who hear them.

import { announce } from "./api.js";
import * as decimal from "./decimal.js";
import { el, fill } from "./dom.js";
import { copyText } from "./clipboard.js";

/**
 * Return a table in a region that scrolls sideways.
 *
 * A column has a `name`, a `label`, `cell(row)` for its content, and may have: `number` (aligned right, sorted as exact
 * decimals, the largest first), `key(row)` to sort by, `wide` (left out on a phone), `wrap`, `title`. The first column
 * names the row. Rows that `last(row)` is true of come last, however it is sorted. `sort` is `{name, descending}`;
 * `onSort` hears of a change. `footer` is a row of children.
 */
export function table({
  caption,
  columns,
  rows,
  footer,
  sort,
  onSort,
  last = () => false,
  empty = "Nothing was found.",
}) {
  let sorted = sort ?? null;
  const body = el("tbody");
  const head = el("tr");
  const made = new Map(rows.map((row) => [row, line(columns, row)]));

  function draw() {
    fill(
      head,
      columns.map((column) => heading(column, sorted, choose)),
    );
    fill(body, made.size ? ordered(rows, columns, sorted, last).map((row) => made.get(row)) : nothing(columns, empty));
  }

  function choose(column) {
    const again = sorted?.name === column.name;
    sorted = { name: column.name, descending: again ? !sorted.descending : Boolean(column.number) };
    draw();
    head.querySelector(`[data-sort="${CSS.escape(column.name)}"]`)?.focus();
    announce(`Sorted by ${column.label}, ${sorted.descending ? "descending" : "ascending"}`);
    onSort?.(sorted);
  }

  draw();
  const grid = el("table", {}, el("caption", { class: "hidden" }, caption), el("thead", {}, head), body);
  if (footer) {
    grid.append(
      el(
        "tfoot",
        {},
        el(
          "tr",
          {},
          footer.map((child, at) => cell(columns[at], child, at)),
        ),
      ),
    );
  }
  return scrolling(grid, caption);
}

function heading(column, sorted, choose) {
  const state = sorted?.name === column.name ? (sorted.descending ? "descending" : "ascending") : null;
  const arrow = { ascending: "\u2191", descending: "\u2193" }[state];
  const label = column.key
    ? el(
        "button",
        { type: "button", class: "sort", "data-sort": column.name, on: { click: () => choose(column) } },
        column.label,
        el("span", { class: "arrow", "aria-hidden": "true" }, arrow ?? "\u2195"),
      )
    : column.label;
  return el("th", { scope: "col", class: classes(column), "aria-sort": state, title: column.title }, label);
}

function classes(column) {
  return ["number", "wide", "wrap", "longer"].filter((name) => column[name]).join(" ") || null;
}

function line(columns, row) {
  return el(
    "tr",
    {},
    columns.map((column, at) => cell(column, column.cell(row), at)),
  );
}

function cell(column, child, at) {
  return el(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: classes(column) }, child);
}

function nothing(columns, empty) {
  return el("tr", {}, el("td", { colspan: columns.length, class: "empty" }, empty));
}

/** Return the rows in order; a row without a value comes last, and rows that are equal keep their order. */
function ordered(rows, columns, sorted, last) {
  const column = sorted && columns.find((one) => one.name === sorted.name);
  if (!column?.key) {
    return rows;
  }
  const keys = new Map(rows.map((row) => [row, column.key(row) ?? null]));
  const comparison = column.number ? decimal.compare : (a, b) => a.localeCompare(b, "en", { numeric: true });
  const direction = sorted.descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    if (last(a) || last(b)) {
      return Number(Boolean(last(a))) - Number(Boolean(last(b)));
    }
    const [left, right] = [keys.get(a), keys.get(b)];
    return left === null || right === null
      ? Number(left === null) - Number(right === null)
      : direction * comparison(String(left), String(right));
  });
}

/** Return the table in a region, which the keyboard reaches only where it has something to scroll. */
export function scrolling(grid, label) {
  const region = el("div", { class: "scroll", role: "region", "aria-label": label }, grid);
  new ResizeObserver(() => {
    if (region.scrollWidth > region.clientWidth) {
      region.tabIndex = 0;
    } else {
      region.removeAttribute("tabindex");
    }
  }).observe(region);
  return region;
}

/** Return a button that copies the first table within `holder()`, amounts with all their digits. */
export function copyButton(holder) {
  return el("button", { type: "button", class: "quiet", on: { click: () => copyTable(holder()) } }, "Copy table");
}

function copyTable(holder) {
  const rows = [...holder.querySelector("table").rows].map((row) => [...row.cells].map(plain).join("\t"));
  copyText(`${rows.join("\n")}\n`, "Table copied, amounts with all their digits");
}

function plain(cell) {
  const value = cell.querySelector("data")?.value ?? cell.querySelector(".sort")?.firstChild.textContent;
  return (value ?? cell.textContent).replace(/\s+/g, " ").trim();
}
