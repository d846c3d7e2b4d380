// The controls of Explore. Each of them is one parameter of the address.

import * as dates from "./dates.js";
import { el } from "./dom.js";
import { EACH, TOP, range, suitable } from "./explore_state.js";
import * as format from "./format.js";
import { METRICS, choice, segmented } from "./page.js";

// Name, number of months, and how many months before the newest one the range ends.
const RANGES = [
  ["Newest month", 1, 0],
  ["Month before", 1, 1],
  ["3 months", 3, 0],
  ["12 months", 12, 0],
  ["All", 0, 0],
];
const PERIODS = [
  ["day", "Day"],
  ["week", "Week"],
  ["month", "Month"],
];

const COMPARISONS = [
  ["previous", "Period before"],
  ["none", "Nothing"],
];

/** Return the controls; `go(state)` takes the step to another state. */
export function controls(state, found, go) {
  return el(
    "details",
    { open: !window.matchMedia("(max-width: 640px)").matches || wasOpen() },
    el("summary", {}, summary(state, found)),
    el("div", { class: "fields" }, when(state, found, go), grouping(state, found, go), measure(state, found, go)),
  );
}

function measure(state, found, go) {
  const change = (name) => (value) => go({ ...state, [name]: value });
  const currencies = [...found.currencies.map((one) => [one.currency, one.currency]), [EACH, "Each, apart"]];
  const tops = TOP.map((number) => [number, `${number} largest`]);
  return [
    switched("Cost", segmented("Which cost", "metric", METRICS, state.metric, change("metric"))),
    switched("Per", segmented("Per", "per", PERIODS, state.per, change("per"))),
    found.currencies.length > 1 && choice("Currency", "currency", currencies, state.currency, change("currency")),
    choice("Compare with", "compare", COMPARISONS, state.compare, change("compare")),
    choice("Show", "top", tops, state.top, change("top")),
  ];
}

function switched(label, buttons) {
  return el("div", { class: "field" }, el("span", { class: "label", "aria-hidden": "true" }, label), buttons);
}

function wasOpen() {
  return document.querySelector(".controls details")?.open ?? false;
}

function summary(state, found) {
  const label = (name) => found.dimensions.find((one) => one.name === name)?.label ?? name;
  const by = state.groups.length ? ` by ${state.groups.map(label).join(" and ")}` : "";
  return `${span(state)}${by}`;
}

function span({ dates: kind, from, to }) {
  return kind === "billing" ? format.months(from, to) : format.days(from, to);
}

function when(state, found, go) {
  const billing = state.dates === "billing";
  const type = billing ? "month" : "date";
  const shown = (day) => (billing ? dates.monthOf(day) : day);
  const whole = { from: dates.firstDay, to: dates.lastDay };
  const set = (name) => (event) => {
    const { value } = event.target;
    if (value) {
      go(ordered({ ...state, [name]: billing ? whole[name](value) : value }, name));
    }
  };
  return [
    choice(
      "Dates",
      "dates",
      [
        ["usage", "Days of use"],
        ["billing", "Billing months"],
      ],
      state.dates,
      (value) => go(by(value, state)),
    ),
    choice("Range", "range", presets(), chosenPreset(state, found), (value) => {
      if (value !== "own") {
        const [, months, skip] = RANGES[Number(value)];
        const wanted = range(found, state.currency, months, billing, skip);
        go({ ...state, ...wanted, per: suitable(wanted.from, wanted.to) });
      }
    }),
    field("From", "from", el("input", { id: "from", type, value: shown(state.from), on: { change: set("from") } })),
    field("To", "to", el("input", { id: "to", type, value: shown(state.to), on: { change: set("to") } })),
  ];
}

/** A range that would end before it begins becomes the one day or month that was set. */
function ordered(state, name) {
  if (state.from <= state.to) {
    return state;
  }
  const day = state[name];
  return state.dates === "billing"
    ? { ...state, from: dates.firstDay(day), to: dates.lastDay(day) }
    : { ...state, from: day, to: day };
}

/** Turn days into the billing months they are in. */
function by(kind, state) {
  return { ...state, dates: kind, from: dates.firstDay(state.from), to: dates.lastDay(state.to) };
}

function presets() {
  return [...RANGES.map(([label], at) => [String(at), label]), ["own", "Own range"]];
}

function chosenPreset(state, found) {
  const at = RANGES.findIndex(([, months, skip]) => {
    const one = range(found, state.currency, months, state.dates === "billing", skip);
    return one.from === state.from && one.to === state.to;
  });
  return at === -1 ? "own" : String(at);
}

function field(label, id, input) {
  return el("div", { class: "field" }, el("label", { for: id }, label), input);
}

function grouping(state, found, go) {
  const all = [["none", "Nothing"], ...found.dimensions.map((one) => [one.name, one.label])];
  const [first = "none", second = "none"] = state.groups;
  const set = (at) => (value) => {
    const groups = [first, second];
    groups[at] = value;
    go({ ...state, groups: [...new Set(groups)].filter((name) => name !== "none") });
  };
  return [
    choice("Group by", "group-1", all, first, set(0)),
    state.groups.length > 0 &&
      choice(
        "Then by",
        "group-2",
        all.filter(([name]) => name !== first),
        second,
        set(1),
      ),
  ];
}
