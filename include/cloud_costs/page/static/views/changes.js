// Changes: why a month's costs are not what they were. Each delivery since a day, and what it changed.

import { get, show } from "../api.js";
import * as dates from "../dates.js";
import * as decimal from "../decimal.js";
import { address, badge, changed, el, fill, money, moment } from "../dom.js";
import { differences } from "../differences.js";
import * as format from "../format.js";
import * as page from "../page.js";

const content = document.getElementById("content");
const answerPlace = el("div", { class: "stack" });

async function draw(found) {
  const query = page.parameters();
  const source = query.get("source") ?? found.sources[0].name;
  const period = query.get("billing_period") ?? found.months[0];
  const since = query.get("since") ?? "";
  const go = (next) => {
    const state = { source, billing_period: period, since, ...next };
    page.setParameters(Object.entries(state).filter(([, value]) => value));
    draw(found);
  };
  page.title("Changes");
  const focused = document.activeElement?.id;
  fill(content, head(), form(found, { source, period, since }, go), answerPlace);
  if (focused) {
    document.getElementById(focused)?.focus();
  }
  let said = "";
  await show(
    answerPlace,
    async (signal) => {
      const asked = [["source", source], ["billing_period", period], ...(since ? [["since", since]] : [])];
      const answer = await get("changes", asked, signal);
      said = sentence(answer, since);
      return [summary(answer, since), history(answer)];
    },
    () => said,
  );
}

function head() {
  return el(
    "div",
    { class: "head" },
    el("h1", {}, "Changes"),
    el(
      "p",
      { class: "quiet" },
      "Providers deliver a month again and again until its invoice is final. Here is what each delivery changed.",
    ),
  );
}

function form(found, { source, period, since }, go) {
  const input = el("input", {
    id: "since",
    type: "date",
    value: since,
    on: { change: () => go({ since: input.value }) },
  });
  return el(
    "div",
    { class: "panel controls" },
    el(
      "div",
      { class: "fields" },
      page.choice(
        "Source",
        "source",
        found.sources.map((one) => [one.name, one.name]),
        source,
        (value) => go({ source: value }),
      ),
      page.choice(
        "Billing month",
        "billing-period",
        found.months.map((one) => [one, format.month(one)]),
        period,
        (value) => go({ billing_period: value }),
      ),
      el("div", { class: "field" }, el("label", { for: "since" }, "Since (UTC)"), input),
      el(
        "div",
        { class: "field shortcuts" },
        el(
          "button",
          { type: "button", id: "since-monday", class: "quiet", on: { click: () => go({ since: monday() }) } },
          "Since Monday",
        ),
        since &&
          el(
            "button",
            { type: "button", id: "since-ever", class: "quiet", on: { click: () => go({ since: "" }) } },
            "All deliveries",
          ),
      ),
    ),
  );
}

/** Return the Monday of this week, in UTC. */
function monday() {
  const today = new Date().toISOString().slice(0, 10);
  return dates.addDays(today, -((new Date(today).getUTCDay() + 6) % 7));
}

/** Return the answer to "why did this number change" in one sentence. */
function sentence(answer, since) {
  const month = `${answer.source} ${format.month(answer.billing_period)}`;
  if (!since && answer.loads.length === 1) {
    return `${month} was delivered once, so nothing has changed.`;
  }
  const when = since ? ` since ${format.weekday(since)}, ${format.day(since)}` : " with its newest delivery";
  const isSame = (one) => decimal.sign(one.change) === 0 && decimal.sign(one.effective_change) === 0;
  if (answer.changes.every(isSame)) {
    return `No cost of ${month} has changed${when}.`;
  }
  const sums = answer.changes.map((one) => `${format.change(one.change)} ${one.currency}`).join(" and ");
  const newer = answer.loads.filter((load) => load.published_at >= since).length;
  const first = newer === answer.loads.length ? "; nothing was published of it before" : "";
  const counted = since ? `, by ${format.counted(newer, "delivery", "deliveries")}${first}` : "";
  return `${month} changed by ${sums}${when}${counted}.`;
}

function summary(answer, since) {
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, sentence(answer, since)),
    (since || answer.loads.length > 1) &&
      answer.changes.map((one) =>
        el(
          "p",
          {},
          "Billed: from ",
          money(one.before, one.currency),
          " to ",
          money(one.after, one.currency),
          ` ${one.currency} (`,
          changed(one.change, one.currency),
          "). Effective: ",
          changed(one.effective_change, one.currency),
          ".",
        ),
      ),
    answer.differences.length > 0 && differences(answer.differences, "What changed, by service and account"),
  );
}

function history(answer) {
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "Deliveries, newest first"),
    el(
      "ol",
      { class: "timeline" },
      answer.loads.map((load, at) => el("li", {}, delivery(load, at, answer))),
    ),
  );
}

function delivery(load, at, answer) {
  const first = at === answer.loads.length - 1 && !load.changes.length;
  return [
    el(
      "p",
      { class: "delivery" },
      el("a", { href: address(`loads/${load.load_id}`) }, load.version ?? `Load ${load.load_id}`),
      load.is_current && badge("good", "what readers see"),
      el("span", { class: "quiet" }, "published ", moment(load.published_at)),
    ),
    el(
      "p",
      {},
      load.totals.map((one) => [
        money(one.billed_cost, one.currency),
        ` ${one.currency} billed, ${format.counted(one.line_items, "line")}. `,
      ]),
      first && el("span", { class: "quiet" }, "The first delivery."),
      load.changes.map((one) => [changed(one.change, one.currency), ` ${one.currency} against the delivery before. `]),
    ),
    load.differences.length > 0 &&
      el(
        "details",
        { open: at === 0 && answer.loads.length <= 3 && !answer.differences.length },
        el("summary", {}, `By service and account (${format.count(load.differences.length + load.more_differences)})`),
        differences(load.differences, `What ${load.version ?? load.load_id} changed`, load.more_differences),
      ),
  ];
}

page.start(draw);
