// How an anomaly is named and told, in the list, on its own page and in the overview.

import { address, badge, changed, el } from "./dom.js";
import { exploreAddress, read } from "./explore_state.js";
import * as format from "./format.js";

const SEVERITIES = { high: "bad", medium: "warning", low: "plain" };
export const STATUSES = [
  ["open", "Open"],
  ["acknowledged", "Acknowledged"],
  ["muted", "Muted"],
  ["expected", "As expected"],
  ["explained", "Explained by a restatement"],
];

/** Return what an event is about: a service, an account, a service of an account, or all of a source. */
export function scope(one) {
  const service = one.service === null ? null : one.service || "No service";
  return [service, one.account_name].filter((name) => name !== null).join(", ") || "All accounts and services";
}

/** Return the days of an event, in words. */
export function days(one) {
  return `${format.days(one.first_date, one.last_date)}${one.running ? ", still running" : ""}`;
}

/** Return the money above or below what was expected, with its currency. */
export function impact(one) {
  return [changed(one.impact, one.currency), ` ${one.currency}`];
}

export function severity(one) {
  return badge(SEVERITIES[one.severity], one.severity, "By the money, in proportion to the limits");
}

export function status(one) {
  if (one.status === "open" && !one.news) {
    return badge("plain", "of the past", "It was over long before it was found, so no message told it");
  }
  const name = STATUSES.find(([value]) => value === one.status)?.[1] ?? "Part of a wider one";
  const until = one.status === "muted" && one.muted_until ? ` until ${format.day(one.muted_until)}` : "";
  return badge(one.status === "open" ? "warning" : "plain", `${name.toLowerCase()}${until}`);
}

export function anomalyAddress(one) {
  return address(`anomalies/${one.anomaly_id}`);
}

/** Return the address of Explore with costs of an event, day by day; `more` is another part of the state. */
export function exploring(one, found, more = {}) {
  return exploreAddress({
    ...read(found, ""),
    from: one.first_date,
    to: one.last_date,
    dates: "usage",
    metric: "effective_cost",
    per: "day",
    currency: one.currency,
    filters: one.filters,
    groups: one.service === null ? ["service"] : one.account_id === null ? ["account_id"] : ["region"],
    ...more,
  });
}

/** Return the largest of the open events as a list, and a link to all of them. */
export function openOnes(answer, most) {
  const shown = answer.anomalies.slice(0, most);
  return el(
    "section",
    { class: "panel", "aria-label": "Open anomalies" },
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", {}, format.counted(answer.total, "open anomaly", "open anomalies")),
      el("a", { href: address("anomalies", { status: "open" }) }, "All anomalies"),
    ),
    el(
      "ul",
      { class: "movers" },
      shown.map((one) =>
        el(
          "li",
          {},
          el("p", { class: "mover" }, el("a", { href: anomalyAddress(one) }, scope(one)), el("span", {}, impact(one))),
          el("p", { class: "quiet small" }, severity(one), `${one.source} \u00b7 ${days(one)}`),
        ),
      ),
    ),
  );
}
