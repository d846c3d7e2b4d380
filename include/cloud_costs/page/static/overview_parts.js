// The lists of the overview: costs of one dimension beside those of the month before, and what moved most.

import { amount, change, ratio, text } from "./columns.js";
import * as decimal from "./decimal.js";
import { address, changed, el, money, moment, shareBar } from "./dom.js";
import { exploreAddress } from "./explore_state.js";
import * as format from "./format.js";
import { table } from "./table.js";

export const NAMES = { billed_cost: "Billed", effective_cost: "Effective" };
const MOVERS = 8;

/** Return the table of one dimension; the amounts are those of the cost that is chosen. */
export function costs(caption, dimension, rows, answer, state) {
  const { metric } = state;
  const { currency } = answer;
  const total = answer.totals[metric];
  const of = (name) => (row) => row[metric][name];
  const share = (row) => asRatio(decimal.percent(row[metric].amount, total.amount, 4));
  return table({
    caption: `${caption}, ${NAMES[metric].toLowerCase()}, in ${currency}`,
    rows,
    columns: [
      text("name", dimension, (row) => row.label, { wrap: true, cell: (row) => named(row, state) }),
      amount("amount", `${NAMES[metric]} (${currency})`, of("amount"), currency),
      ratio("share", "Share", share, { wide: true, cell: (row) => shareBar(share(row)) }),
      amount("before", "Month before", of("previous"), currency, { wide: true }),
      change("change", "Change", of("change"), currency),
      ratio("change-share", "Change %", of("share"), {
        wide: true,
        cell: (row) => format.changeShare(row[metric].share),
      }),
    ],
    sort: { name: "amount", descending: true },
    last: (row) => !row.filters.length,
    footer: [
      "Total",
      money(total.amount, currency),
      "",
      money(total.previous, currency),
      changed(total.change, currency),
      format.changeShare(total.share),
    ],
  });
}

function asRatio(percent) {
  return percent === null ? null : decimal.approximate(percent) / 100;
}

/** The others have no filter of their own: their link shows all. */
function named(row, state) {
  const { filters } = row;
  const next = filters.some((filter) => filter.startsWith("service:")) ? ["account_id"] : ["service"];
  return el("a", { href: exploreAddress({ ...state, filters, groups: next }) }, row.label);
}

/** Return the accounts' services that moved most, each with the delivery that moved it. */
export function movers(answer, state) {
  if (!answer.movers.length) {
    return el("p", { class: "empty" }, "Nothing moved, or nothing is published of the month before.");
  }
  return el(
    "ol",
    { class: "movers" },
    answer.movers.slice(0, MOVERS).map((one) =>
      el(
        "li",
        {},
        el(
          "p",
          { class: "mover" },
          el(
            "a",
            {
              href: exploreAddress({
                ...state,
                metric: "billed_cost",
                filters: one.filters,
                groups: ["charge_category"],
              }),
            },
            one.service || "No service",
          ),
          changed(one.change, answer.currency),
        ),
        el(
          "p",
          { class: "quiet small" },
          [one.account_name || one.account_id || "No account", one.source].join(" \u00b7 "),
          ": from ",
          money(one.before, answer.currency),
          " to ",
          money(one.after, answer.currency),
        ),
        one.since_load && since(one.since_load, answer.currency),
      ),
    ),
  );
}

function since(load, currency) {
  return el(
    "p",
    { class: "quiet small" },
    load.change === null ? "Since the " : [changed(load.change, currency), " by the "],
    el("a", { href: address(`loads/${load.load_id}`) }, "delivery"),
    " of ",
    moment(load.published_at),
  );
}
