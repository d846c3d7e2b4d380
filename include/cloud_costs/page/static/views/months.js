// Months: every source and billing month, what readers see of it, and what needs someone.

import { get, show } from "../api.js";
import { count, text } from "../columns.js";
import * as dates from "../dates.js";
import { address, airflowLink, badge, el, money, moment } from "../dom.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { copyButton, table } from "../table.js";

const content = document.getElementById("content");

async function draw(found) {
  page.title("Months");
  const wanted = page.parameters().get("source") ?? "";
  const focused = document.activeElement?.id;
  await show(
    content,
    async (signal) => {
      const answer = await get("months", [], signal);
      const months = answer.months.filter((one) => !wanted || one.source === wanted);
      return [head(months), form(found, wanted), list(months)];
    },
    "Months loaded",
  );
  if (focused) {
    document.getElementById(focused)?.focus();
  }
}

function form(found, wanted) {
  const options = [["", "All sources"], ...found.sources.map((one) => [one.name, one.name])];
  const go = (value) => {
    page.setParameters(value ? [["source", value]] : []);
    draw(found);
  };
  return (
    found.sources.length > 1 &&
    el(
      "div",
      { class: "panel controls" },
      el("div", { class: "fields" }, page.choice("Source", "source", options, wanted, go)),
    )
  );
}

function head(months) {
  const [failed, stale] = [months.filter((one) => one.failed_last), months.filter((one) => one.stale)];
  const warned = months.filter((one) => one.checks_warned > 0);
  return el(
    "div",
    { class: "head" },
    el("h1", {}, "Months"),
    el(
      "p",
      { class: "said" },
      failed.length === 0 && stale.length === 0 && badge("good", "All is well"),
      failed.length > 0 && badge("bad", `${format.counted(failed.length, "month")} failed last`),
      stale.length > 0 && badge("warning", `${format.counted(stale.length, "source")} stale`),
      warned.length > 0 && badge("warning", `${format.counted(warned.length, "month")} with warnings`),
      ` ${format.counted(months.filter((one) => one.load_id !== null).length, "published month")}`,
    ),
  );
}

function list(months) {
  const place = el("section", { class: "panel" });
  const columns = [
    text("month", "Billing month", (row) => row.billing_period, { cell: linkToCosts }),
    text("source", "Source", (row) => row.source),
    text("state", "State", stateKey, { cell: states }),
    { name: "billed", label: "Billed", number: true, cell: (row) => amounts(row, "billed_cost") },
    { name: "effective", label: "Effective", number: true, wide: true, cell: (row) => amounts(row, "effective_cost") },
    count("rows", "Rows", (row) => row.rows, { wide: true }),
    { name: "checks", label: "Checks", wide: true, cell: checks },
    text("published", "Published", (row) => row.published_at, { wide: true, cell: published }),
    { name: "links", label: "More", cell: links },
  ];
  place.append(
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", {}, "Every source and month"),
      copyButton(() => place),
    ),
    table({ caption: "Sources and billing months", columns, rows: months }),
  );
  return place;
}

function linkToCosts(row) {
  const href = address("explore", [
    ["from", dates.firstDay(row.billing_period)],
    ["to", dates.lastDay(row.billing_period)],
    ["dates", "billing"],
    ["filter", `source:${row.source}`],
    ["group", "service"],
    ...(row.costs.length ? [["currency", row.costs[0].currency]] : []),
  ]);
  return el("a", { href }, format.shortMonth(row.billing_period));
}

function amounts(row, metric) {
  return row.costs.length
    ? row.costs.map((one) => el("span", { class: "block" }, money(one[metric], one.currency), ` ${one.currency}`))
    : "\u2013";
}

function stateKey(row) {
  return row.failed_last ? "1" : row.stale ? "2" : row.estimated ? "3" : "4";
}

function states(row) {
  return el(
    "span",
    { class: "states" },
    row.failed_last &&
      el("a", { href: address(`loads/${row.failed_load_id}`), title: row.error }, badge("bad", "failed last")),
    row.stale && badge("warning", "stale", "No newer delivery has come for longer than the source allows"),
    row.load_id !== null &&
      badge(row.estimated ? "warning" : "good", row.estimated ? "estimated" : "final", row.estimated_because),
    row.note && badge("plain", "note", row.note),
  );
}

/** A version may be the names of two runs of an export, which are longer than all the rest. */
function published(row) {
  return [
    moment(row.published_at),
    row.version && el("span", { class: "quiet small version", title: row.version }, row.version),
  ];
}

function checks(row) {
  return [
    `${row.checks_passed} passed`,
    row.checks_warned > 0 && [", ", badge("warning", `${row.checks_warned} warned`)],
  ];
}

function links(row) {
  return el(
    "span",
    { class: "links" },
    row.load_id !== null && el("a", { href: address(`loads/${row.load_id}`) }, "Load"),
    el("a", { href: address("changes", { source: row.source, billing_period: row.billing_period }) }, "Changes"),
    airflowLink(row.run_url, "Run"),
    airflowLink(row.task_url, "Clear"),
  );
}

page.start(draw);
