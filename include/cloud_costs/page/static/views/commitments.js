// Commitments: Savings Plans, reservations and committed use discounts. What they cost, and how much of it nobody used.

import { get, show } from "../api.js";
import { amount, ratio, text } from "../columns.js";
import * as dates from "../dates.js";
import * as decimal from "../decimal.js";
import { el, money, shareBar } from "../dom.js";
import { exploreAddress, read } from "../explore_state.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { copyButton, table } from "../table.js";

const content = document.getElementById("content");

async function draw(found) {
  const query = page.parameters();
  const currency = page.currency(found);
  const to = query.get("to") ?? found.months[0];
  const from = query.get("from") ?? to;
  const go = (next) => {
    const state = { from, to, currency, ...next };
    const [first, last] =
      state.from <= state.to ? [state.from, state.to] : [Object.values(next)[0], Object.values(next)[0]];
    page.setParameters([
      ["from", first],
      ["to", last],
      ["currency", currency],
    ]);
    draw(found);
  };
  page.title("Commitments");
  const focused = document.activeElement?.id;
  await show(
    content,
    async (signal) => {
      const answer = await get(
        "commitments",
        [
          ["from", from],
          ["to", to],
          ["currency", currency],
        ],
        signal,
      );
      return [head(), form(found, from, to, go), cards(answer), list(answer, found)];
    },
    "Commitments loaded",
  );
  if (focused) {
    document.getElementById(focused)?.focus();
  }
}

function head() {
  return el(
    "div",
    { class: "head" },
    el("h1", {}, "Commitments"),
    el("p", { class: "quiet" }, "Savings Plans, reservations and committed use discounts, by effective cost."),
  );
}

function form(found, from, to, go) {
  const options = found.months.map((one) => [one, format.month(one)]);
  return el(
    "div",
    { class: "panel controls" },
    el(
      "div",
      { class: "fields" },
      page.choice("From billing month", "from", options, from, (value) => go({ from: value })),
      page.choice("To billing month", "to", options, to, (value) => go({ to: value })),
    ),
  );
}

function cards(answer) {
  const { totals, currency } = answer;
  const unit = () => el("span", { class: "unit" }, currency);
  return el(
    "section",
    { class: "cards", "aria-label": "All commitments" },
    card(
      "Utilization",
      [format.share(totals.utilization)],
      ["Used, of what was paid for: ", money(totals.used, currency), " of ", money(totals.total, currency)],
    ),
    card("Unused", [money(totals.unused, currency), " ", unit()], ["Paid for, and used by nobody."]),
    card(
      "Coverage",
      [format.share(totals.coverage)],
      [
        "Use that commitments cover, at list prices: ",
        money(totals.covered, currency),
        " of ",
        money(totals.coverable, currency),
      ],
    ),
  );
}

function card(name, big, explained) {
  return el(
    "div",
    { class: "card" },
    el("h2", {}, name),
    el("p", { class: "big" }, big),
    el("p", { class: "quiet" }, explained),
  );
}

function list(answer, found) {
  const { currency, totals } = answer;
  const place = el("section", { class: "panel" });
  const columns = [
    text("name", "Commitment", (row) => row.name ?? row.commitment_id, { wrap: true, cell: named }),
    text("type", "Type", (row) => row.type ?? format.NONE, { wide: true }),
    text("account", "Account", accountName, { wide: true, wrap: true, cell: (row) => account(row, answer, found) }),
    amount("used", "Used", (row) => row.used, currency, { wide: true }),
    amount("unused", "Unused", (row) => row.unused, currency),
    amount("total", `Total (${currency})`, (row) => row.total, currency),
    ratio("utilization", "Utilization", (row) => row.utilization, { cell: (row) => shareBar(row.utilization) }),
    ratio("coverage", "Coverage", (row) => row.coverage, { wide: true }),
  ];
  place.append(
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", {}, format.counted(answer.commitments.length, "commitment")),
      copyButton(() => place),
    ),
    table({
      caption: `Commitments, effective cost in ${currency}`,
      columns,
      rows: answer.commitments,
      sort: { name: "unused", descending: true },
      footer: [
        "All",
        "",
        "",
        money(totals.used, currency),
        money(totals.unused, currency),
        money(totals.total, currency),
        shareBar(totals.utilization),
        format.share(totals.coverage),
      ],
      empty: "There are no commitments in these months.",
    }),
  );
  return place;
}

function accountName(row) {
  return row.account_name || row.account_id || "No account";
}

/** The id of a commitment is long and ends with what tells it apart. */
function named(row) {
  const idle = decimal.sign(row.used) === 0 && decimal.sign(row.total) !== 0;
  return [
    el("span", { class: "commitment", title: row.commitment_id }, row.name ?? row.commitment_id),
    el(
      "span",
      { class: "quiet small block" },
      [row.cloud_provider, row.source, idle ? "used by nobody" : null].filter(Boolean).join(" \u00b7 "),
    ),
  ];
}

function account(row, answer, found) {
  const state = {
    ...read(found, ""),
    from: dates.firstDay(answer.from),
    to: dates.lastDay(answer.to),
    dates: "billing",
    metric: "effective_cost",
    currency: answer.currency,
    filters: [`account_id:${row.account_id}`],
    groups: ["service"],
  };
  return el(
    "a",
    { href: exploreAddress(state), title: row.account_id },
    row.account_name || row.account_id || "No account",
  );
}

page.start(draw);
