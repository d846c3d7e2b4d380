// Rows with very many columns: FOCUS charges, and lines as the provider exported them. Numbers have all their digits.

import { el, exactMoney, fill } from "./dom.js";
import { scrolling } from "./table.js";

const NUMBERS = /^(numeric|decimal|double|real|float|int|bigint|smallint)/i;

export function isNumber(column) {
  return NUMBERS.test(column.type);
}

/** Return a value as text; a number with its digits grouped, and nothing as a dash. */
export function written(value, column) {
  if (value === null || value === "") {
    return el("span", { class: "none" }, "\u2013");
  }
  return isNumber(column) && /^-?\d/.test(value) ? exactMoney(value) : value;
}

/** Return records side by side, each row one column of theirs, with a search for columns. `names` heads the records. */
export function records(columns, rows, names, caption) {
  const body = el("tbody");
  const search = el("input", { type: "search", id: "column-search", placeholder: "Search columns and values" });
  const empty = el("input", { type: "checkbox", id: "column-empty" });
  const told = el("p", { class: "quiet small", role: "status" });
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const shown = columns
      .map((column, at) => ({ column, values: rows.map((row) => row[at]) }))
      .filter(({ values }) => empty.checked || values.some((value) => value !== null && value !== ""))
      .filter(({ column, values }) =>
        [column.label, column.name, ...values].some((text) => text?.toLowerCase().includes(wanted)),
      );
    fill(body, shown.map(recordRow));
    told.textContent = `${shown.length} of ${columns.length} columns`;
  };
  search.addEventListener("input", draw);
  empty.addEventListener("change", draw);
  draw();
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, "Column"),
    names.map((name) => el("th", { scope: "col" }, name)),
  );
  return [
    el(
      "div",
      { class: "bar-of-tools" },
      el("label", { class: "hidden", for: "column-search" }, "Search columns and values"),
      search,
      el("label", { class: "check" }, empty, "Empty columns too"),
      told,
    ),
    scrolling(
      el("table", { class: "records" }, el("caption", { class: "hidden" }, caption), el("thead", {}, head), body),
      caption,
    ),
  ];
}

function recordRow({ column, values }) {
  return el(
    "tr",
    {},
    el("th", { scope: "row", title: column.name }, column.label),
    values.map((value) => el("td", { class: isNumber(column) ? "figure" : "wrap" }, written(value, column))),
  );
}
