// One load: which delivery it brought, its files, the checks that it passed, and what it changed.

import { get, show } from "../api.js";
import { count, text } from "../columns.js";
import * as dates from "../dates.js";
import { address, airflowLink, badge, el, exactMoney, moment } from "../dom.js";
import { differences } from "../differences.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { copyButton, table } from "../table.js";

const content = document.getElementById("content");
const STATES = { published: "good", superseded: "plain", rejected: "bad", failed: "bad" };

async function draw() {
  const id = window.location.pathname.split("/").at(-1);
  page.title(`Load ${id}`);
  await show(
    content,
    async (signal) => {
      const load = await get(`loads/${id}`, [], signal);
      return [head(load), facts(load), totals(load), changes(load), audits(load), files(load)];
    },
    `Load ${id} loaded`,
  );
}

function head(load) {
  const month = format.month(load.billing_period);
  return el(
    "div",
    { class: "head" },
    page.trail(["Months", address("months")], [`Load ${load.load_id}`]),
    el("h1", {}, `${load.source}, ${month}`),
    el(
      "p",
      {},
      badge(STATES[load.status] ?? "warning", load.status),
      ` Load ${load.load_id}, version ${load.version ?? "without a name"}`,
      load.published_at && [", published ", moment(load.published_at)],
    ),
    load.error && el("p", { class: "problem" }, load.error),
    load.note && el("p", { class: "note" }, load.note),
    el(
      "p",
      { class: "links" },
      airflowLink(load.run_url, "Run in Airflow"),
      airflowLink(load.task_url, "Tasks to clear, to load the month again"),
      el(
        "a",
        { href: address("changes", { source: load.source, billing_period: load.billing_period }) },
        "All changes of the month",
      ),
      el("a", { href: exploring(load) }, "Costs of the month"),
    ),
  );
}

function exploring(load) {
  return address("explore", [
    ["from", dates.firstDay(load.billing_period)],
    ["to", dates.lastDay(load.billing_period)],
    ["dates", "billing"],
    ["filter", `source:${load.source}`],
    ["group", "service"],
    ...(load.totals.length ? [["currency", load.totals[0].currency]] : []),
  ]);
}

function facts(load) {
  const rows = [
    ["Format", load.format],
    ["Version", load.version],
    ["Manifest", load.manifest_uri],
    ["Started", moment(load.started)],
    ["Published", moment(load.published_at)],
    ["Lines", load.rows === null ? null : format.count(load.rows)],
    ["Size", load.bytes === null ? null : format.bytes(load.bytes)],
    ["Published", load.raw_only ? "Raw lines only" : null],
    [
      "Replaced",
      load.previous_load_id === null
        ? null
        : el("a", { href: address(`loads/${load.previous_load_id}`) }, `Load ${load.previous_load_id}`),
    ],
  ].filter(([, value]) => value !== null);
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "The delivery"),
    el(
      "dl",
      { class: "facts" },
      rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
  );
}

function totals(load) {
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "Costs"),
    table({
      caption: "Costs of the load by currency",
      columns: [
        { name: "currency", label: "Currency", cell: (row) => row.currency },
        { name: "billed", label: "Billed", number: true, cell: (row) => exactMoney(row.billed_cost) },
        { name: "effective", label: "Effective", number: true, cell: (row) => exactMoney(row.effective_cost) },
        { name: "lines", label: "Lines", number: true, cell: (row) => format.count(row.line_items) },
      ],
      rows: load.totals,
      empty: "No costs were derived.",
    }),
  );
}

function changes(load) {
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, "What it changed"),
    load.previous_load_id === null
      ? el("p", { class: "quiet" }, "It is the first load of its month.")
      : differences(load.differences, `What load ${load.load_id} changed against load ${load.previous_load_id}`),
  );
}

function audits(load) {
  const failed = load.audits.filter((audit) => !audit.passed);
  const place = el("section", { class: "panel" });
  place.append(
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", {}, "Checks"),
      badge(
        failed.length ? "warning" : "good",
        `${load.audits.length - failed.length} of ${load.audits.length} passed`,
      ),
    ),
    table({
      caption: "Checks of the load",
      columns: [
        { name: "name", label: "Check", key: (row) => row.name, cell: (row) => el("code", {}, row.name) },
        { name: "passed", label: "Result", key: (row) => String(row.passed), cell: verdict },
        { name: "details", label: "Protects from", wrap: true, cell: (row) => [row.details, sample(row)] },
      ],
      rows: [...failed, ...load.audits.filter((audit) => audit.passed)],
      empty: "The load was not checked.",
    }),
  );
  return place;
}

function verdict(audit) {
  if (audit.passed) {
    return badge("good", "passed");
  }
  const found = format.counted(audit.violations, "row");
  return audit.severity === "error" ? badge("bad", `failed: ${found}`) : badge("warning", `warned: ${found}`);
}

function sample(audit) {
  return (
    audit.sample.length > 0 &&
    el(
      "details",
      {},
      el("summary", {}, "Rows that broke it"),
      el(
        "ul",
        { class: "sample" },
        audit.sample.map((row) => el("li", {}, el("code", {}, row))),
      ),
    )
  );
}

function files(load) {
  const place = el("section", { class: "panel" });
  place.append(
    el("div", { class: "bar-of-tools" }, el("h2", {}, "Files"), load.files.length > 0 && copyButton(() => place)),
    table({
      caption: "Files of the load",
      columns: [
        text("name", "File", (row) => row.name, {
          wrap: true,
          cell: (row) => el("span", { title: row.uri }, row.name),
        }),
        count("rows", "Lines", (row) => row.rows),
        count("bytes", "Size", (row) => row.bytes, { cell: (row) => format.bytes(row.bytes) }),
      ],
      rows: load.files,
      empty: "The files of this load are not recorded.",
    }),
  );
  return place;
}

page.start(draw);
