// Columns that several tables have. Each takes `value(row)`, which may be null, and what else `table` may know of it.

import { changed, money } from "./dom.js";
import * as format from "./format.js";

export function text(name, label, value, more = {}) {
  return { name, label, key: value, cell: value, ...more };
}

/** Return a column of exact amounts, shown to the cent. */
export function amount(name, label, value, currency, more = {}) {
  return { name, label, number: true, key: value, cell: (row) => money(value(row), currency), ...more };
}

/** Return a column of changes. `currency` may be a function of the row. */
export function change(name, label, value, currency, more = {}) {
  const of = typeof currency === "function" ? currency : () => currency;
  return { name, label, number: true, key: value, cell: (row) => changed(value(row), of(row)), ...more };
}

/** Return a column of whole numbers. */
export function count(name, label, value, more = {}) {
  const shown = (row) => (value(row) === null ? format.NONE : format.count(value(row)));
  return { name, label, number: true, key: (row) => asText(value(row)), cell: shown, ...more };
}

/** Return a column of ratios, shown in percent. */
export function ratio(name, label, value, more = {}) {
  return {
    name,
    label,
    number: true,
    key: (row) => asText(value(row)),
    cell: (row) => format.share(value(row)),
    ...more,
  };
}

/** Tables compare decimals as texts. */
function asText(number) {
  return number === null ? null : String(number);
}
