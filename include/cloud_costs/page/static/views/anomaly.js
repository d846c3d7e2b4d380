// One anomaly: what it cost beside what was expected, what makes it, and what people decide about it.

import { days, exploring, impact, scope, severity, status } from "../anomaly_parts.js";
import { get, problem, send, show } from "../api.js";
import { against, swatch } from "../chart.js";
import { changed, address, badge, el, fill, money, moment } from "../dom.js";
import * as dates from "../dates.js";
import * as decimal from "../decimal.js";
import { chargesAddress, read } from "../explore_state.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { copyButton, table } from "../table.js";

const content = document.getElementById("content");
const ACTIONS = { acknowledge: "acknowledged it", mute: "muted its kind", expect: "marked it as expected" };
const MUTED_DAYS = 30;

async function draw(found) {
  const id = window.location.pathname.split("/").at(-1);
  page.title(`Anomaly ${id}`);
  await show(
    content,
    async (signal) => {
      const [one, session] = await Promise.all([get(`anomalies/${id}`, [], signal), get("session", [], signal)]);
      return sections(one, session, found);
    },
    `Anomaly ${id} loaded`,
  );
}

function sections(one, session, found) {
  return [
    head(one, found),
    cards(one),
    chartPanel(one, found),
    el(
      "div",
      { class: "columns" },
      parts(one, found),
      el("div", { class: "stack" }, decide(one, session, found), log(one), facts(one)),
    ),
  ];
}

function head(one, found) {
  return el(
    "div",
    { class: "head" },
    page.trail(["Anomalies", address("anomalies")], [`Anomaly ${one.anomaly_id}`]),
    el("h1", {}, scope(one)),
    el(
      "p",
      {},
      severity(one),
      status(one),
      one.kind === "restatement" && badge("plain", "restatement", "A later delivery changed days that were complete"),
      ` ${one.source}, ${days(one)}`,
    ),
    one.reason && el("p", { class: "note" }, `Explained: ${one.reason}.`),
    one.merged_into !== null &&
      el(
        "p",
        { class: "note" },
        "It is a part of ",
        el("a", { href: address(`anomalies/${one.merged_into}`) }, `anomaly ${one.merged_into}`),
        ".",
      ),
    el(
      "p",
      { class: "links" },
      el("a", { href: exploring(one, found) }, "Explore these costs"),
      one.load && el("a", { href: address(`loads/${one.load.load_id}`) }, `Load ${one.load.load_id}`),
      el(
        "a",
        { href: address("changes", { source: one.source, billing_period: dates.monthOf(one.last_date) }) },
        "Changes of the month",
      ),
    ),
  );
}

function cards(one) {
  const below = decimal.sign(one.impact) < 0;
  const length = dates.daysBetween(one.first_date, one.last_date);
  const unit = () => el("span", { class: "unit" }, one.currency);
  const card = (name, value, more) =>
    el(
      "div",
      { class: "card" },
      el("h2", {}, name),
      el("p", { class: "big" }, value, " ", unit()),
      el("p", { class: "quiet" }, more),
    );
  return el(
    "section",
    { class: "cards", "aria-label": "Amounts" },
    card(
      below ? "Below expected" : "Above expected",
      changed(one.impact, one.currency),
      `${format.changeShare(one.impact_share)} in ${format.counted(length, "day")}`,
    ),
    card("Cost", money(one.actual, one.currency), "Effective cost of the usage of these days."),
    card("Expected", money(one.expected, one.currency), "What these days should have cost, an estimate."),
  );
}

function chartPanel(one, found) {
  // Events that an earlier version found have no expected days.
  const known = one.days.some((day) => day.expected !== null);
  const legend = [
    ["series-1", "Cost of a day"],
    ["series-8", "Days of the anomaly"],
    ["text", "Expected"],
  ];
  const to = (day) => page.goTo(charges(one, day.date, found));
  return el(
    "section",
    { class: "panel" },
    el("div", { class: "bar-of-tools" }, el("h2", {}, "Day by day")),
    el(
      "p",
      { class: "legend" },
      legend.filter((_, at) => known || at === 0).map(([colour, name]) => el("span", {}, swatch(colour), name)),
    ),
    against({
      label: `Bars: cost of each day; line: what the days of the anomaly should have cost, in ${one.currency}`,
      days: one.days,
      currency: one.currency,
      onClick: to,
    }),
    numbers(one, found),
  );
}

function charges(one, day, found) {
  const state = { ...read(found, ""), dates: "usage", metric: "effective_cost", currency: one.currency };
  return chargesAddress({ ...state, from: day, to: day, filters: one.filters });
}

function numbers(one, found) {
  const place = el("div");
  const columns = [
    {
      name: "day",
      label: "Day",
      cell: (day) => el("a", { href: charges(one, day.date, found) }, format.day(day.date)),
    },
    { name: "actual", label: `Cost (${one.currency})`, number: true, cell: (day) => money(day.actual, one.currency) },
    { name: "expected", label: "Expected", number: true, cell: (day) => money(day.expected, one.currency) },
    {
      name: "above",
      label: "Above expected",
      number: true,
      cell: (day) => changed(day.expected === null ? null : decimal.subtract(day.actual, day.expected), one.currency),
    },
  ];
  place.append(
    el("div", { class: "bar-of-tools" }, copyButton(() => place)),
    table({ caption: "Daily cost and what was expected", columns, rows: one.days }),
  );
  return el("details", { class: "by-period" }, el("summary", {}, "All numbers of the chart"), place);
}

function parts(one, found) {
  const rows = one.parts.flatMap((of) => of.parts.map((part) => ({ ...part, dimension: of.dimension })));
  const named = (part) => [
    part.filters ? el("a", { href: exploring(one, found, { filters: part.filters }) }, part.label) : part.label,
    el("span", { class: "quiet small block" }, part.dimension),
  ];
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "What makes it"),
    el("p", { class: "quiet small" }, "Each row tells the money by itself: rows of two kinds are not added up."),
    table({
      caption: "Parts of the anomaly",
      columns: [
        { name: "value", label: "Part", wrap: true, cell: named },
        {
          name: "impact",
          label: `Above what was before (${one.currency})`,
          number: true,
          cell: (part) => changed(part.impact, one.currency),
        },
      ],
      rows,
      empty: "No parts are known of it.",
    }),
  );
}

function decide(one, session, found) {
  const place = el("section", { class: "panel" });
  const told = el("div", { role: "status" });
  fill(place, el("h2", {}, "Decide"), decision(one, session, found, told), told);
  return place;
}

function decision(one, session, found, told) {
  if (one.status === "explained" || one.merged_into !== null) {
    return el("p", { class: "quiet" }, "There is nothing to decide about it any more.");
  }
  if (!session.may_decide) {
    return el(
      "p",
      { class: "quiet" },
      "Whoever may trigger the DAG cloud_costs_insights decides here. You may read it alone.",
    );
  }
  const note = el("input", { id: "note", type: "text", maxlength: 1000, autocomplete: "off" });
  const until = el("input", { id: "until", type: "date", value: dates.addDays(today(), MUTED_DAYS) });
  const buttons = [];
  const button = (name, label, more) => {
    const act = () => decideOn({ one, session, found, told, buttons }, { action: name, note: note.value, ...more?.() });
    const made = el("button", { type: "button", on: { click: act } }, label);
    buttons.push(made);
    return made;
  };
  const chosen = () => ({ until: until.value || null });
  return el(
    "div",
    { class: "decide" },
    el("div", { class: "field" }, el("label", { for: "note" }, "Why (optional)"), note),
    el("div", { class: "fields" }, button("acknowledge", "Acknowledge"), button("expect", "Mark as expected")),
    el(
      "div",
      { class: "fields" },
      el("div", { class: "field" }, el("label", { for: "until" }, "Mute until"), until),
      button("mute", "Mute its kind", chosen),
    ),
    el(
      "p",
      { class: "quiet small" },
      "Acknowledged: somebody looks after it. As expected: it leaves the list of what is open. Muted: nothing of the ",
      "same source, account and service that begins until that day is told.",
    ),
  );
}

function today() {
  return new Date().toISOString().slice(0, 10);
}

async function decideOn({ one, session, found, told, buttons }, body) {
  buttons.forEach((button) => {
    button.disabled = true;
  });
  try {
    const answer = await send(`anomalies/${one.anomaly_id}`, body);
    fill(content, sections(answer, session, found));
    const place = content.querySelector("[role=status]");
    fill(place, el("p", { class: "done" }, `Written: you ${ACTIONS[body.action]}.`));
    content.querySelector(".decide button")?.focus();
  } catch (error) {
    fill(told, problem(error));
    buttons.forEach((button) => {
      button.disabled = false;
    });
  }
}

function log(one) {
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "Who decided what"),
    one.actions.length
      ? el(
          "ol",
          { class: "timeline" },
          one.actions.map((entry) =>
            el(
              "li",
              {},
              el(
                "p",
                {},
                el("strong", {}, entry.person),
                ` ${ACTIONS[entry.action]}`,
                entry.muted_until && ` until ${format.day(entry.muted_until)}`,
              ),
              entry.note && el("p", { class: "said-why" }, entry.note),
              el("p", { class: "quiet small" }, moment(entry.at)),
            ),
          ),
        )
      : el("p", { class: "empty" }, "Nobody did yet."),
  );
}

function facts(one) {
  const rows = [
    ["Found", moment(one.found_at)],
    ["Told", one.told_at ? moment(one.told_at) : "in no message"],
    ["Taken back", one.taken_back_at && moment(one.taken_back_at)],
    ["Last seen in", one.load && el("a", { href: address(`loads/${one.load.load_id}`) }, one.load.version)],
  ].filter(([, value]) => value);
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "When"),
    el(
      "dl",
      { class: "facts" },
      rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
  );
}

page.start(draw);
