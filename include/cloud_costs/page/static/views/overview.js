// Overview: this month so far, against the same days of last month, and what moved most.

import { get, show } from "../api.js";
import { lines, stacked, swatch } from "../chart.js";
import * as dates from "../dates.js";
import * as decimal from "../decimal.js";
import { address, badge, changed, el, fill, money, moment, shareBar } from "../dom.js";
import { exploreAddress, read } from "../explore_state.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { table } from "../table.js";

const content = document.getElementById("content");
const NAMES = { billed_cost: "Billed", effective_cost: "Effective" };
const MOVERS = 8;

/** Return what the address chooses: which cost, and whether the chart adds up. */
function chosen() {
  const query = page.parameters();
  return {
    metric: query.get("metric") === "effective_cost" ? "effective_cost" : "billed_cost",
    daily: query.get("chart") === "daily",
  };
}

async function draw(found) {
  const currency = page.currency(found);
  await show(
    content,
    async (signal) => {
      const answer = await get("overview", [["currency", currency]], signal);
      page.title(format.month(answer.month));
      return sections(answer, found);
    },
    "Overview loaded",
  );
}

function sections(answer, found) {
  const body = el("div", { class: "stack" });
  const redraw = () => fill(body, details(answer, found, change));
  const change = (name, value) => {
    const query = page.parameters();
    query.set(name, value);
    page.setParameters(query, { replace: true });
    const focused = document.activeElement?.value;
    redraw();
    body.querySelector(`input[name="${name}"][value="${focused}"]`)?.focus();
  };
  redraw();
  return [head(answer, found), cards(answer), body];
}

function head(answer, found) {
  const whole = answer.through === dates.lastDay(answer.month);
  const days = format.days(dates.firstDay(answer.month), answer.through);
  const before = format.days(dates.firstDay(answer.previous_month), answer.previous_through);
  const earlier = answer.through_by_source.filter((one) => one.through < answer.through);
  const others = found.currencies.filter((one) => one.currency !== answer.currency);
  return el(
    "div",
    { class: "head" },
    el(
      "div",
      {},
      el("h1", {}, `${format.month(answer.month)}${whole ? "" : " so far"}`),
      el("p", { class: "quiet" }, `${days}, compared with ${before}`),
      earlier.length > 0 &&
        el("p", { class: "quiet small" }, `Delivered later, and counted in both months until: ${earlier.map((one) => `${one.source} ${format.day(one.through)}`).join(", ")}`),
    ),
    el(
      "p",
      { class: "said" },
      badge(answer.estimated ? "warning" : "good", answer.estimated ? "Estimated" : "Final"),
      " ",
      answer.estimated_because,
    ),
    others.length > 0 &&
      el(
        "p",
        { class: "quiet" },
        `All amounts are in ${answer.currency}. There are costs in other currencies: `,
        others.map((one, at) => [
          at > 0 && ", ",
          el("a", { href: address("", { currency: one.currency }) }, one.currency),
        ]),
      ),
  );
}

function cards(answer) {
  const { billed_cost: billed, effective_cost: effective } = answer.totals;
  return el(
    "section",
    { class: "cards", "aria-label": "Totals" },
    card("Billed", page.MEANINGS.billed_cost, billed, answer),
    card("Effective", page.MEANINGS.effective_cost, effective, answer),
    answer.forecast && forecast(answer.forecast, answer.currency),
  );
}

function card(name, meaning, comparison, answer) {
  return el(
    "div",
    { class: "card" },
    el("h2", {}, name),
    el("p", { class: "big" }, money(comparison.amount, answer.currency), " ", el("span", { class: "unit" }, answer.currency)),
    el(
      "p",
      { class: "quiet" },
      comparison.previous === null
        ? "Nothing is published of the month before."
        : [
            changed(comparison.change, answer.currency),
            ` (${format.changeShare(comparison.share)}) from `,
            money(comparison.previous, answer.currency),
            ` in ${format.month(answer.previous_month)}`,
          ],
    ),
    el("p", { class: "quiet small" }, meaning),
  );
}

function forecast(found, currency) {
  return el(
    "div",
    { class: "card" },
    el("h2", {}, "Expected at the end of the month"),
    el("p", { class: "big" }, money(found.expected, currency), " ", el("span", { class: "unit" }, currency)),
    el("p", { class: "quiet" }, "Four times of five between ", money(found.low, currency), " and ", money(found.high, currency)),
    el("p", { class: "quiet small" }, `As of ${format.day(found.as_of)}.`),
  );
}

function details(answer, found, change) {
  const { metric, daily } = chosen();
  const state = {
    ...read(found, ""),
    currency: answer.currency,
    metric,
    from: dates.firstDay(answer.month),
    to: answer.through,
  };
  return [
    el(
      "section",
      { class: "panel" },
      el(
        "div",
        { class: "bar-of-tools" },
        el("h2", {}, daily ? "Day by day" : "Running total"),
        page.segmented("Which cost", "metric", Object.entries(NAMES), metric, (value) => change("metric", value)),
        page.segmented(
          "How the chart adds up",
          "chart",
          [["total", "Running total"], ["daily", "Daily"]],
          daily ? "daily" : "total",
          (value) => change("chart", value),
        ),
      ),
      daysChart(answer, metric, daily),
    ),
    el(
      "div",
      { class: "columns" },
      el("div", { class: "stack" }, byCloud(answer, state), byService(answer, state)),
      el("section", { class: "panel" }, el("h2", {}, "What moved most"), movers(answer, state)),
    ),
  ];
}

function byCloud(answer, state) {
  return el("section", { class: "panel" }, el("h2", {}, "By cloud"), costs("Costs by cloud", "Cloud", answer.by_cloud, answer, state));
}

function byService(answer, state) {
  const others = answer.other_services ? [answer.other_services] : [];
  return el(
    "section",
    { class: "panel" },
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", {}, "By service"),
      el("a", { href: exploreAddress({ ...state, groups: ["service"] }) }, "Explore all services"),
    ),
    costs("Costs by service", "Service", [...answer.by_service, ...others], answer, state),
  );
}

function daysChart(answer, metric, daily) {
  const [now, before] = [answer.month, answer.previous_month].map((month) =>
    answer.days.filter((one) => dates.monthOf(one.date) === month),
  );
  const name = NAMES[metric].toLowerCase();
  if (daily) {
    const values = now.map((one) => one[metric]);
    return stacked({
      label: `Bars: ${name} cost of each day of ${format.month(answer.month)}`,
      periods: now.map((one) => one.date),
      per: "day",
      series: [{ label: NAMES[metric], colour: "series-1", values }],
      totals: values,
      currency: answer.currency,
    });
  }
  const all = [
    { label: format.month(answer.month), colour: "series-1", values: running(now.filter((one) => one.date <= answer.through), metric) },
    { label: format.month(answer.previous_month), colour: "series-others", faint: true, values: running(before, metric) },
  ];
  return [
    el("p", { class: "legend" }, all.map((one) => el("span", {}, swatch(one.colour, one.faint), one.label))),
    lines({
      label: `Lines: running total of ${name} cost in ${format.month(answer.month)} and ${format.month(answer.previous_month)}`,
      lines: all,
      currency: answer.currency,
    }),
  ];
}

function running(days, metric) {
  let sum = "0";
  return days.map((one) => {
    sum = decimal.add(sum, one[metric]);
    return sum;
  });
}

/** Return the table of one dimension; the amounts are those of the cost that is chosen. */
function costs(caption, dimension, rows, answer, state) {
  const { metric } = state;
  const total = answer.totals[metric];
  const share = (row) => decimal.percent(row[metric].amount, total.amount, 4);
  const { currency } = answer;
  return table({
    caption: `${caption}, ${NAMES[metric].toLowerCase()}, in ${currency}`,
    rows,
    columns: [
      { name: "name", label: dimension, key: (row) => ofNamed(row, row.label), cell: (row) => named(row, state), wrap: true },
      { name: "amount", label: `${NAMES[metric]} (${currency})`, number: true, key: (row) => ofNamed(row, row[metric].amount), cell: (row) => money(row[metric].amount, currency) },
      { name: "share", label: "Share", number: true, wide: true, cell: (row) => shareBar(share(row) === null ? null : Number(share(row)) / 100) },
      { name: "before", label: "Month before", number: true, wide: true, key: (row) => ofNamed(row, row[metric].previous), cell: (row) => money(row[metric].previous, currency) },
      { name: "change", label: "Change", number: true, key: (row) => ofNamed(row, row[metric].change), cell: (row) => changed(row[metric].change, currency) },
      { name: "change-share", label: "Change %", number: true, wide: true, cell: (row) => format.changeShare(row[metric].share) },
    ],
    sort: { name: "amount", descending: true },
    footer: ["Total", money(total.amount, currency), "", money(total.previous, currency), changed(total.change, currency), format.changeShare(total.share)],
  });
}

/** The row of all others is last, however the table is sorted. */
function ofNamed(row, key) {
  return row.filters.length ? key : null;
}

/** The others have no filter of their own: their link shows all. */
function named(row, state) {
  const { filters } = row;
  const next = filters.some((filter) => filter.startsWith("service:")) ? ["account_id"] : ["service"];
  return el("a", { href: exploreAddress({ ...state, filters, groups: next }) }, row.label);
}

function movers(answer, state) {
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
          el("a", { href: exploreAddress({ ...state, metric: "billed_cost", filters: one.filters, groups: ["charge_category"] }) }, one.service || "No service"),
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

page.start(draw);
