// Budgets: what was spent of each, where its period will end, and which thresholds that reached.

import { get, show } from "../api.js";
import * as decimal from "../decimal.js";
import { badge, el, money, moment } from "../dom.js";
import { exploreAddress, read, suitable } from "../explore_state.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { pager } from "../pager.js";
import { table } from "../table.js";

const content = document.getElementById("content");
const STATES = { kept: "good", "at risk": "warning", exceeded: "bad", "no costs": "plain" };
const METRICS = { billed: "billed_cost", effective: "effective_cost" };
const NAMES = { month: format.month, quarter: quarter, year: (day) => day.slice(0, 4) };

async function draw(found) {
  page.title("Budgets");
  const number = Number(page.parameters().get("page") ?? 1);
  await show(
    content,
    async (signal) => {
      const answer = await get("budgets", [["page", number]], signal);
      return [head(answer), list(answer, found), pager("budgets", answer)].filter(Boolean);
    },
    "Budgets loaded",
  );
}

function quarter(day) {
  return `Quarter ${Math.ceil(Number(day.slice(5, 7)) / 3)} of ${day.slice(0, 4)}`;
}

function head(answer) {
  const of = (status) => answer.budgets.filter((one) => one.current?.status === status).length;
  const [exceeded, risky] = [of("exceeded"), of("at risk")];
  return el(
    "div",
    { class: "head" },
    el("h1", {}, "Budgets"),
    el(
      "p",
      { class: "said" },
      exceeded > 0 && badge("bad", `${format.count(exceeded)} exceeded`),
      risky > 0 && badge("warning", `${format.count(risky)} at risk`),
      exceeded + risky === 0 && answer.total > 0 && badge("good", "All are kept"),
      ` ${format.counted(answer.total, "budget")}`,
    ),
  );
}

function list(answer, found) {
  return answer.total === 0
    ? el(
        "div",
        { class: "note" },
        el("p", {}, "No budget was checked yet. The file budgets.yaml beside sources.yaml has the budgets."),
      )
    : el(
        "div",
        { class: "budgets" },
        answer.budgets.map((one) => budget(one, found)),
      );
}

function budget(one, found) {
  const { current } = one;
  const id = `budget-${one.budget.replace(/[^A-Za-z0-9]/g, "-")}`;
  return el(
    "section",
    { class: "panel", "aria-labelledby": id },
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", { id, class: "wrapped" }, one.budget),
      current ? badge(STATES[current.status], current.status) : badge("plain", "no costs"),
    ),
    current
      ? [
          el(
            "p",
            {},
            el("span", { class: "big" }, format.share(current.share)),
            el("span", { class: "quiet" }, " spent of ", money(current.amount, one.currency), ` ${one.currency}`),
          ),
          meter(one, current),
          spent(one, current, found),
          thresholds(current),
          earlier(one, found),
        ]
      : el("p", { class: "quiet" }, `No costs in ${one.currency} match it.`),
  );
}

/** Return a bar of what was spent, with the interval of what is expected, and a mark at the amount. */
function meter(one, current) {
  const [amount, actual, low, high] = [current.amount, current.actual, current.low, current.high].map((text) =>
    Math.max(0, decimal.approximate(text)),
  );
  const whole = Math.max(amount, actual, high) * 1.02 || 1;
  const at = (value) => `${((100 * value) / whole).toFixed(2)}%`;
  const piece = (name, left, width) => {
    const made = el("span", { class: name });
    made.style.left = at(left);
    made.style.width = at(width);
    return made;
  };
  const mark = el("span", { class: "mark" });
  mark.style.left = at(amount);
  const label =
    `${format.share(current.share)} of the amount is spent, ` +
    `${format.share(current.forecast_share)} is expected at the end`;
  return el(
    "div",
    { class: `meter ${STATES[current.status]}`, role: "img", "aria-label": label },
    high > low && piece("expected", low, high - low),
    piece("spent", 0, actual),
    mark,
  );
}

function spent(one, current, found) {
  const over = current.forecast === current.actual && current.low === current.high;
  return [
    el(
      "p",
      {},
      `${NAMES[one.period](current.from)}: `,
      el("a", { href: exploring(one, current, found) }, money(current.actual, one.currency)),
      ` ${one.currency} ${one.cost}`,
    ),
    !over &&
      el(
        "p",
        {},
        "Expected at its end: ",
        money(current.forecast, one.currency),
        ` (${format.share(current.forecast_share)}), in four of five cases between `,
        money(current.low, one.currency),
        " and ",
        money(current.high, one.currency),
      ),
    el(
      "p",
      { class: "quiet small" },
      filters(one),
      ` As of ${format.day(current.as_of)}, checked `,
      moment(current.checked_at),
      ".",
    ),
  ];
}

function filters(one) {
  return one.filters.length ? `Counts: ${one.filters.map(decodedFilter).join(", ")}.` : "Counts all costs.";
}

/** A filter has the key of a tag with its colons encoded. */
function decodedFilter(filter) {
  const [, key, value] = filter.match(/^tag:([^:]*):(.*)$/s) ?? [];
  return key === undefined ? filter.replace(":", " ") : `${decodeURIComponent(key)} ${value}`;
}

function exploring(one, period, found) {
  return exploreAddress({
    ...read(found, ""),
    from: period.from,
    to: period.to,
    dates: "usage",
    metric: METRICS[one.cost],
    per: suitable(period.from, period.to),
    currency: one.currency,
    filters: one.filters,
    groups: ["service"],
  });
}

function thresholds(current) {
  return el(
    "ul",
    { class: "thresholds" },
    current.thresholds.map((one) =>
      el(
        "li",
        {},
        badge(one.reached && !one.taken_back ? "warning" : "plain", `${one.percent}% ${words(one)}`),
        el("span", { class: "quiet small" }, happened(one)),
      ),
    ),
  );
}

function words(one) {
  return one.of === "actual" ? "spent" : "expected";
}

function happened(one) {
  if (!one.reached) {
    return "not reached";
  }
  return [
    "reached ",
    moment(one.reached),
    one.told ? [", told ", moment(one.told)] : ", not told yet",
    one.taken_back && [", taken back ", moment(one.taken_back)],
  ];
}

function earlier(one, found) {
  if (!one.earlier.length) {
    return null;
  }
  const columns = [
    {
      name: "period",
      label: "Period",
      cell: (period) => el("a", { href: exploring(one, period, found) }, NAMES[one.period](period.from)),
    },
    { name: "actual", label: "Spent", number: true, cell: (period) => money(period.actual, one.currency) },
    { name: "share", label: "Share", number: true, cell: (period) => format.share(period.share) },
    { name: "status", label: "Status", cell: (period) => badge(STATES[period.status], period.status) },
  ];
  return el(
    "details",
    {},
    el("summary", {}, `Periods before (${format.count(one.earlier.length)})`),
    table({ caption: `Periods of ${one.budget} before`, columns, rows: one.earlier }),
  );
}

page.start(draw);
