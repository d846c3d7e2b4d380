// What one version of a month changed against the version before, by account, service and category.

import { change, count, text } from "./columns.js";
import * as decimal from "./decimal.js";
import { changed, el } from "./dom.js";
import * as format from "./format.js";
import { table } from "./table.js";

/** Return the table of differences; each currency is summed apart. `more` of them are not listed. */
export function differences(rows, caption, more = 0) {
  const several = new Set(rows.map((row) => row.currency)).size > 1;
  const currency = (row) => row.currency;
  const columns = [
    text("service", "Service", (row) => row.service || "No service", { wrap: true }),
    text("account", "Account", account, {
      wrap: true,
      cell: (row) => el("span", { title: row.account_id }, account(row)),
    }),
    text("category", "Category", (row) => row.charge_category, { wide: true }),
    several && text("currency", "Currency", currency),
    change("billed", "Billed", (row) => row.billed_cost, currency),
    change("effective", "Effective", (row) => row.effective_cost, currency, { wide: true }),
    count("lines", "Lines", (row) => row.line_items, { wide: true, cell: (row) => lines(row.line_items) }),
  ].filter(Boolean);
  const sum = (name) => changed(decimal.add("0", ...rows.map((row) => row[name])), rows[0]?.currency);
  const footer =
    several || !rows.length || more
      ? null
      : [
          "Total",
          "",
          "",
          sum("billed_cost"),
          sum("effective_cost"),
          lines(rows.reduce((total, row) => total + row.line_items, 0)),
        ];
  return [
    table({ caption, columns, rows, footer, empty: "No amount changed." }),
    more > 0 && el("p", { class: "quiet small" }, `${format.counted(more, "smaller difference")} not listed.`),
  ];
}

function account(row) {
  return row.account_name || row.account_id || "No account";
}

function lines(number) {
  return number > 0 ? `+${format.count(number)}` : format.count(number).replace("-", "\u2212");
}
