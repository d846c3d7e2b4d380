// The state of Explore is its address, and has the names of the API's parameters: a link shows a colleague the same.

import * as dates from "./dates.js";
import { address } from "./dom.js";

// What a click leads to when its dimension is settled.
const NEXT = ["service", "account_id", "region", "charge_category", "source", "cloud_provider"];
export const TOP = ["5", "10", "20", "50"];
export const EACH = "each";
const PERIODS = ["day", "week", "month"];
const METRICS = ["billed_cost", "effective_cost", "list_cost"];

function oneOf(value, allowed, otherwise) {
  return allowed.includes(value) ? value : otherwise;
}

/** Return the state that the address says, with what it leaves open filled in. */
export function read(found, search = window.location.search) {
  const query = new URLSearchParams(search);
  const currency = query.get("currency") ?? found.default_currency;
  const groups = query.getAll("group").slice(0, 2);
  const byBilling = query.get("dates") === "billing";
  const open = range(found, currency, 1, byBilling);
  const [from, to] = ["from", "to"].map((name) => (dates.isDay(query.get(name) ?? "") ? query.get(name) : open[name]));
  return {
    from: byBilling ? dates.firstDay(from) : from,
    to: byBilling ? dates.lastDay(to) : to,
    dates: byBilling ? "billing" : "usage",
    groups: query.has("group") ? groups.filter((name) => name !== "none") : ["service"],
    filters: query.getAll("filter"),
    metric: oneOf(query.get("metric"), METRICS, "billed_cost"),
    per: oneOf(query.get("per"), PERIODS, "day"),
    currency,
    compare: oneOf(query.get("compare"), ["previous", "none"], "previous"),
    top: oneOf(query.get("top"), TOP, "10"),
    sort: query.get("sort") ?? "-total",
  };
}

/** Return the first and last day with costs in a currency; in all of them, if it is none of theirs. */
export function span(found, currency) {
  const chosen = found.currencies.filter((one) => one.currency === currency);
  const all = chosen.length ? chosen : found.currencies;
  return {
    first: all.map((one) => one.first).reduce((a, b) => (a < b ? a : b)),
    last: all.map((one) => one.last).reduce((a, b) => (a > b ? a : b)),
  };
}

/**
 * Return the newest `months` with costs, up to `skip` months before the newest one; 0 months are all. Days of use end
 * with the last day that has costs, and billing months are whole.
 */
export function range(found, currency, months, billing, skip = 0) {
  const { first, last } = span(found, currency);
  const newest = dates.addMonths(last, -skip);
  const oldest = months ? dates.addMonths(newest, 1 - months) : dates.monthOf(first);
  return { from: dates.firstDay(oldest), to: skip || billing ? dates.lastDay(newest) : last };
}

/** Return a step between points that suits the length of a range. */
export function suitable(from, to) {
  const days = dates.daysBetween(from, to);
  return days <= 100 ? "day" : days <= 200 ? "week" : "month";
}

/** Return the state as pairs of parameters, for the API. */
export function pairs(state) {
  return [
    ["from", state.from],
    ["to", state.to],
    ["dates", state.dates],
    ...state.groups.map((name) => ["group", name]),
    ...state.filters.map((filter) => ["filter", filter]),
    ["metric", state.metric],
    ["per", state.per],
    ["currency", state.currency],
    ["compare", state.compare],
    ["top", state.top],
  ];
}

/** Return the state as pairs for the address of the page. */
export function addressPairs(state) {
  const known = pairs(state);
  return [...known, ...(state.groups.length ? [] : [["group", "none"]]), ["sort", state.sort]];
}

export function exploreAddress(state) {
  return address("explore", addressPairs(state));
}

/** Return the address of the charges behind a number: what it filters, without what it groups. */
export function chargesAddress(state) {
  const wanted = ["from", "to", "dates", "filter", "metric", "currency"];
  return address(
    "charges",
    pairs(state).filter(([name]) => wanted.includes(name)),
  );
}

/** Return the name of a filter's dimension and its value; a tag's key has its colons encoded. */
export function splitFilter(filter) {
  const at = filter.indexOf(":", filter.startsWith("tag:") ? 4 : 0);
  return [filter.slice(0, at), filter.slice(at + 1)];
}

/** Return the state narrowed to filters: each replaces those of its dimension, whose group gives way to the next. */
export function narrowed(state, filters, found) {
  const names = new Set(filters.map((filter) => splitFilter(filter)[0]));
  const kept = state.filters.filter((filter) => !names.has(splitFilter(filter)[0]));
  const all = [...new Set([...kept, ...filters])];
  const counts = new Map();
  all.forEach((filter) => counts.set(splitFilter(filter)[0], (counts.get(splitFilter(filter)[0]) ?? 0) + 1));
  const open = state.groups.filter((name) => counts.get(name) !== 1);
  const known = [...NEXT, ...found.dimensions.map((one) => one.name)];
  const next = known.find((name) => !counts.has(name) && found.dimensions.some((one) => one.name === name));
  return { ...state, filters: all, groups: open.length ? open : next ? [next] : [] };
}

/** Return the state narrowed to a period: its days, one by one. */
function zoomed(state, period) {
  if (state.dates === "billing") {
    return { ...state, from: dates.firstDay(period), to: dates.lastDay(period), per: "day" };
  }
  const end = dates.endOfPeriod(period, state.per);
  return { ...state, from: period < state.from ? state.from : period, to: end > state.to ? state.to : end, per: "day" };
}

/** Return where a number of one period leads: to the days of a longer period, or to the charges of a day. */
export function periodAddress(state, period) {
  const inside = zoomed(state, period);
  return state.per === "day" && state.dates === "usage" ? chargesAddress(inside) : exploreAddress(inside);
}
