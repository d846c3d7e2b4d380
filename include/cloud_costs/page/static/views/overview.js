// Overview: this month so far, against the same days of last month, and what moved most.

import { openOnes } from "../anomaly_parts.js";
import { get, show } from "../api.js";
import { lines, stacked, swatch } from "../chart.js";
import * as dates from "../dates.js";
import * as decimal from "../decimal.js";
import { address, badge, changed, el, fill, money } from "../dom.js";
import { exploreAddress, read } from "../explore_state.js";
import * as format from "../format.js";
import { NAMES, costs, movers } from "../overview_parts.js";
import * as page from "../page.js";

const content = document.getElementById("content");
const OPEN_ONES = 3;

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
      const [answer, open] = await Promise.all([
        get("overview", [["currency", currency]], signal),
        get("anomalies", [["status", "open"], ["news", true]], signal),
      ]);
      page.title(format.month(answer.month));
      return sections(answer, open, found);
    },
    "Overview loaded",
  );
}

function sections(answer, open, found) {
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
  return [head(answer, found), cards(answer), open.total > 0 && openOnes(open, OPEN_ONES), body];
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
        el(
          "p",
          { class: "quiet small" },
          `In both months until: ${earlier.map((one) => `${one.source} ${format.day(one.through)}`).join(", ")}`,
        ),
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
    answer.forecast && forecast(answer.forecast, answer),
  );
}

function card(name, meaning, comparison, answer) {
  return el(
    "div",
    { class: "card" },
    el("h2", {}, name),
    el(
      "p",
      { class: "big" },
      money(comparison.amount, answer.currency),
      " ",
      el("span", { class: "unit" }, answer.currency),
    ),
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

function forecast(found, { currency }) {
  const { billed_cost: billed, effective_cost: effective } = found;
  const interval = (one) => ["between ", money(one.low, currency), " and ", money(one.high, currency)];
  return el(
    "div",
    { class: "card" },
    el("h2", {}, "Expected at the end of the month"),
    el(
      "p",
      { class: "big" },
      money(billed.expected, currency),
      " ",
      el("span", { class: "unit" }, `${currency} billed`),
    ),
    el("p", { class: "quiet" }, "In four of five cases ", interval(billed)),
    el("p", { class: "quiet" }, "Effective: ", money(effective.expected, currency), ", ", interval(effective)),
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
          [
            ["total", "Running total"],
            ["daily", "Daily"],
          ],
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
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "By cloud"),
    costs("Costs by cloud", "Cloud", answer.by_cloud, answer, state),
  );
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
    {
      label: format.month(answer.month),
      colour: "series-1",
      values: running(
        now.filter((one) => one.date <= answer.through),
        metric,
      ),
    },
    {
      label: format.month(answer.previous_month),
      colour: "series-others",
      faint: true,
      values: running(before, metric),
    },
  ];
  return [
    el(
      "p",
      { class: "legend" },
      all.map((one) => el("span", {}, swatch(one.colour, one.faint), one.label)),
    ),
    lines({
      label: `Lines: running total of ${name} cost in ${all.map((one) => one.label).join(" and ")}`,
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

page.start(draw);
