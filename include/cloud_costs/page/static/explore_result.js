// What Explore found: the total, the chart, the table by group, and the same numbers by period.

import { announce, get } from "./api.js";
import { colourName, stacked, swatch } from "./chart.js";
import { amount, change, ratio, text } from "./columns.js";
import * as dates from "./dates.js";
import * as decimal from "./decimal.js";
import { address, badge, changed, el, fill, money, shareBar } from "./dom.js";
import { learn, renameChips } from "./explore_filters.js";
import { chargesAddress, exploreAddress, narrowed, pairs, periodAddress } from "./explore_state.js";
import * as format from "./format.js";
import { MEANINGS, METRICS, goTo } from "./page.js";
import { copyButton, table } from "./table.js";

const OTHERS = "All others";

/** Ask for one currency of the state; return `{nodes, said}`: what to show, and what to announce. */
export async function result(state, found, signal, onSort) {
  const answer = await get("explore", pairs(state), signal);
  learn(answer.dimensions, answer.groups);
  renameChips(found);
  const metric = METRICS.find(([name]) => name === answer.metric)[1];
  const series = seriesOf(answer, state.filters);
  const nodes = [
    summary(answer, metric),
    answer.periods.length > 1 && chartOf(state, answer, series, metric),
    tools(state, answer),
    groupsTable({ state, found, answer, series, metric, onSort }),
    answer.periods.length > 1 && byPeriod(state, answer, series, metric),
    footnote(answer),
  ];
  return {
    nodes,
    said: `${format.amount(answer.total)} ${answer.currency}, ${format.counted(answer.groups.length, "group")}`,
  };
}

/** Return the groups in the order of the answer, each with its colour; the last one is all others. */
function seriesOf(answer, filters) {
  if (!answer.dimensions.length) {
    const group = { ...answer, values: [], labels: [], filters, share: decimal.sign(answer.total) ? 1 : null };
    return [{ group, label: "All costs", colour: "series-1", values: answer.series }];
  }
  const single = answer.groups.length === 1 && !answer.others;
  const groups = answer.groups.map((group, at) => ({
    group,
    label: group.labels.join(" \u00b7 ") || "All costs",
    colour: single ? "series-1" : colourName(at),
    values: group.series,
  }));
  const { others } = answer;
  return others
    ? [
        ...groups,
        {
          group: others,
          label: `${OTHERS} (${format.count(others.groups)})`,
          colour: "series-others",
          values: others.series,
          others: true,
        },
      ]
    : groups;
}

function summary(answer, metric) {
  const against = answer.previous_from && format.days(answer.previous_from, answer.previous_to);
  return el(
    "div",
    { class: "head" },
    el(
      "div",
      {},
      el(
        "h2",
        { class: "big" },
        money(answer.total, answer.currency, { "data-total": true }),
        " ",
        el("span", { class: "unit" }, `${answer.currency} ${metric.toLowerCase()}`),
      ),
      el(
        "p",
        { class: "quiet" },
        period(answer),
        answer.previous !== null && [
          " \u00b7 ",
          changed(answer.change, answer.currency),
          ` (${format.changeShare(answer.change_share)}) from `,
          money(answer.previous, answer.currency),
          against && ` in ${against}`,
        ],
        answer.previous === null && against && ` \u00b7 Nothing is published of ${against}`,
      ),
      el("p", { class: "quiet small" }, MEANINGS[answer.metric]),
    ),
    answer.estimated_because &&
      el(
        "p",
        { class: "said" },
        badge(answer.estimated ? "warning" : "good", answer.estimated ? "Estimated" : "Final"),
        " ",
        answer.estimated_because,
      ),
    elsewhere(answer),
  );
}

function period(answer) {
  return answer.dates === "billing" ? format.months(answer.from, answer.to) : format.days(answer.from, answer.to);
}

function elsewhere(answer) {
  const others = answer.currencies.filter((name) => name !== answer.currency);
  return others.length > 0 && el("p", { class: "quiet" }, `Costs in ${others.join(", ")} are not in this total.`);
}

function chartOf(state, answer, series, metric) {
  const unit = { day: "day", week: "week", month: "month" }[answer.per];
  return stacked({
    label: `Bars: ${metric.toLowerCase()} cost per ${unit}, by group. The table below has the same numbers.`,
    periods: answer.periods,
    per: answer.per,
    series,
    totals: answer.series,
    currency: answer.currency,
    onClick: (at, of) => {
      const filters = series[of] && !series[of].others ? series[of].group.filters : state.filters;
      goTo(periodAddress({ ...state, filters }, answer.periods[at]));
    },
    onRange: state.dates === "billing" ? null : (first, last) => choosePeriods(state, answer, first, last),
  });
}

/** A stretch of the chart that was marked becomes the range. */
function choosePeriods(state, answer, first, last) {
  const [start, end] = [answer.periods[first], dates.endOfPeriod(answer.periods[last], answer.per)];
  const [from, to] = [start < state.from ? state.from : start, end > state.to ? state.to : end];
  goTo(exploreAddress({ ...state, from, to }));
}

function tools(state, answer) {
  const download = (kind) => address(`api/explore.${kind}`, pairs({ ...state, currency: answer.currency }));
  return el(
    "div",
    { class: "bar-of-tools" },
    el(
      "h3",
      {},
      answer.dimensions.length ? `By ${answer.dimensions.map((one) => one.label).join(" and ")}` : "All costs",
    ),
    el("a", { href: chargesAddress(state) }, "Charges"),
    el("a", { href: download("csv"), download: "costs.csv" }, "CSV"),
    el("a", { href: download("parquet"), download: "costs.parquet" }, "Parquet"),
    copyButton(() => document.querySelector(`[data-currency="${CSS.escape(answer.currency)}"]`)),
  );
}

function groupsTable({ state, found, answer, series, metric, onSort }) {
  const { currency } = answer;
  const compared = state.compare === "previous";
  const names = answer.dimensions.length ? answer.dimensions : [null];
  const columns = [
    ...names.map((dimension, at) =>
      text(`group-${at + 1}`, dimension?.label ?? "Costs", (row) => row.group.labels?.[at] ?? "", {
        wrap: true,
        cell: (row) => groupCell(row, at, dimension, state, found),
      }),
    ),
    amount("total", `${metric} (${currency})`, (row) => row.group.total, currency, {
      cell: (row) => toCharges(row, state, currency),
    }),
    ratio("share", "Share", (row) => row.group.share, { wide: true, cell: (row) => shareBar(row.group.share) }),
    ...(compared ? comparison(currency) : []),
  ];
  const [name, descending] = state.sort.startsWith("-") ? [state.sort.slice(1), true] : [state.sort, false];
  return table({
    caption: `${metric} cost by group, in ${currency}`,
    columns,
    rows: series,
    footer: totals(answer, names.length, compared),
    sort: { name, descending },
    last: (row) => row.others,
    onSort,
  });
}

function totals(answer, names, compared) {
  const { currency } = answer;
  const all = decimal.sign(answer.total) ? 1 : null;
  return [
    "Total",
    ...Array(names - 1).fill(""),
    money(answer.total, currency),
    format.share(all),
    ...(compared
      ? [money(answer.previous, currency), changed(answer.change, currency), format.changeShare(answer.change_share)]
      : []),
  ];
}

function comparison(currency) {
  const before = "The period before, of the same length";
  return [
    amount("previous", "Before", (row) => row.group.previous, currency, { wide: true, title: before }),
    change("change", "Change", (row) => row.group.change, currency),
    ratio("change-share", "Change %", (row) => row.group.change_share, {
      wide: true,
      cell: (row) => format.changeShare(row.group.change_share),
    }),
  ];
}

/** The others have no filter of their own; their amount is a number without a way down. */
function toCharges(row, state, currency) {
  const shown = money(row.group.total, currency);
  return row.others
    ? shown
    : el(
        "a",
        { href: chargesAddress({ ...state, filters: row.group.filters }), title: "The charges behind this number" },
        shown,
      );
}

function groupCell(row, at, dimension, state, found) {
  const mark = at === 0 && swatch(row.colour);
  if (row.others || !dimension) {
    return [mark, at === 0 ? row.label : ""];
  }
  const filter = `${dimension.name}:${row.group.values[at]}`;
  const isNone = row.group.values[at] === "";
  return [
    mark,
    el(
      "a",
      { href: exploreAddress(narrowed(state, [filter], found)), class: isNone ? "none" : null, title: detail(row, at) },
      row.group.labels[at],
    ),
  ];
}

/** An account that has a name keeps its number within reach. */
function detail(row, at) {
  const [value, label] = [row.group.values[at], row.group.labels[at]];
  return value && value !== label ? `${label} (${value}): filter by it` : "Filter by it";
}

/** The numbers of the chart, made when someone opens them: a year of days by 50 groups is many cells. */
function byPeriod(state, answer, series, metric) {
  const place = el("div");
  const details = el(
    "details",
    { class: "by-period" },
    el("summary", {}, `All numbers of the chart, per ${answer.per}`),
    place,
  );
  details.addEventListener("toggle", () => {
    if (details.open && !place.firstChild) {
      fill(place, periodTable(state, answer, series, metric));
      announce("Numbers per period shown");
    }
  });
  return details;
}

function periodTable(state, answer, series, metric) {
  const { currency, periods } = answer;
  const to = (filters, at, amount) =>
    decimal.sign(amount) === 0
      ? el("span", { class: "quiet" }, money(amount, currency))
      : el("a", { href: periodAddress({ ...state, filters }, periods[at]) }, money(amount, currency));
  const columns = [
    { name: "period", label: "Period", key: (at) => periods[at], cell: (at) => format.period(periods[at], answer.per) },
    {
      name: "total",
      label: "Total",
      number: true,
      key: (at) => answer.series[at],
      cell: (at) => to(state.filters, at, answer.series[at]),
    },
    ...series.map((one, index) => ({
      name: `series-${index}`,
      label: one.label,
      number: true,
      key: (at) => one.values[at],
      cell: (at) => (one.others ? money(one.values[at], currency) : to(one.group.filters, at, one.values[at])),
    })),
  ];
  return table({
    caption: `${metric} cost per ${answer.per} and group, in ${currency}`,
    columns,
    rows: [...periods.keys()],
    footer: ["Total", money(answer.total, currency), ...series.map((one) => money(one.group.total, currency))],
  });
}

function footnote(answer) {
  return el(
    "p",
    { class: "quiet small" },
    "Answered from ",
    el("code", {}, answer.relation),
    ` in ${Math.max(1, Math.round(answer.milliseconds))} ms. Amounts are exact, and rounded to the cent only here.`,
  );
}
