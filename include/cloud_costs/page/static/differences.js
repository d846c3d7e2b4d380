// What one version of a month changed against the version before, by account, service and category.

import * as decimal from "./decimal.js";
import { changed, el } from "./dom.js";
import * as format from "./format.js";
import { table } from "./table.js";

/** Return the table of differences; each currency is summed apart. `more` of them are not listed. */
export function differences(rows, caption, more = 0) {
  const several = new Set(rows.map((row) => row.currency)).size > 1;
  const columns = [
    { name: "service", label: "Service", wrap: true, key: (row) => row.service, cell: (row) => row.service || "No service" },
    { name: "account", label: "Account", wrap: true, key: (row) => account(row), cell: (row) => el("span", { title: row.account_id }, account(row)) },
    { name: "category", label: "Category", wide: true, key: (row) => row.charge_category, cell: (row) => row.charge_category },
    ...(several ? [{ name: "currency", label: "Currency", key: (row) => row.currency, cell: (row) => row.currency }] : []),
    { name: "billed", label: "Billed", number: true, key: (row) => row.billed_cost, cell: (row) => changed(row.billed_cost, row.currency) },
    { name: "effective", label: "Effective", number: true, wide: true, key: (row) => row.effective_cost, cell: (row) => changed(row.effective_cost, row.currency) },
    { name: "lines", label: "Lines", number: true, wide: true, key: (row) => String(row.line_items), cell: (row) => lines(row.line_items) },
  ];
  const sum = (name) => changed(decimal.add("0", ...rows.map((row) => row[name])), rows[0]?.currency);
  const footer = several || !rows.length || more
    ? null
    : ["Total", "", "", sum("billed_cost"), sum("effective_cost"), lines(rows.reduce((total, row) => total + row.line_items, 0))];
  return [
    table({ caption, columns, rows, footer, empty: "No amount changed." }),
    more > 0 && el("p", { class: "quiet small" }, `${format.counted(more, "smaller difference")} not listed.`),
  ];
}

function account(row) {
  return row.account_name || row.account_id || "No account";
}

export function lines(number) {
  return number > 0 ? `+${format.count(number)}` : format.count(number).replace("-", "\u2212");
}
