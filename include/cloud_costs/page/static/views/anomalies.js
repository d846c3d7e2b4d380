// Anomalies: what cost more or less than expected. The open ones come first.

import { days, impact, scope, severity, status, STATUSES, anomalyAddress } from "../anomaly_parts.js";
import { get, show } from "../api.js";
import { badge, el, moment } from "../dom.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { pager } from "../pager.js";
import { copyButton, table } from "../table.js";

const content = document.getElementById("content");
const FILTERS = ["source", "status", "severity"];
const SEVERITIES = [
  ["high", "High"],
  ["medium", "Medium"],
  ["low", "Low"],
];

async function draw() {
  page.title("Anomalies");
  const query = page.parameters();
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const number = Number(query.get("page") ?? 1);
  const asked = Object.entries(chosen).filter(([, value]) => value);
  const go = (name, value) => {
    page.setParameters(Object.entries({ ...chosen, [name]: value }).filter(([, one]) => one));
    draw();
  };
  const focused = document.activeElement?.id;
  await show(
    content,
    async (signal) => {
      const answer = await get("anomalies", [...asked, ["page", number]], signal);
      return [head(answer), form(answer, chosen, go), list(answer, asked)];
    },
    () => "Anomalies loaded",
  );
  if (focused) {
    document.getElementById(focused)?.focus();
  }
}

function head(answer) {
  const fresh = answer.open - answer.past;
  return el(
    "div",
    { class: "head" },
    el("h1", {}, "Anomalies"),
    el(
      "p",
      { class: "said" },
      fresh > 0 ? badge("warning", `${format.count(fresh)} open`) : badge("good", "None is open"),
      answer.past > 0 && ` and ${format.count(answer.past)} of the past.`,
      " Days on which usage cost more or less than expected, by effective cost.",
    ),
  );
}

function form(answer, chosen, go) {
  const options = {
    source: [["", "All sources"], ...answer.sources.map((name) => [name, name])],
    status: [["", "All, open first"], ...STATUSES],
    severity: [["", "All"], ...SEVERITIES],
  };
  const labels = { source: "Source", status: "Status", severity: "Severity" };
  return el(
    "div",
    { class: "panel controls" },
    el(
      "div",
      { class: "fields" },
      FILTERS.map((name) => page.choice(labels[name], name, options[name], chosen[name], (value) => go(name, value))),
    ),
  );
}

function list(answer, asked) {
  const place = el("section", { class: "panel" });
  const columns = [
    { name: "what", label: "What", wrap: true, cell: named },
    { name: "days", label: "Days", wrap: true, cell: days },
    { name: "impact", label: "Above expected", number: true, cell: (one) => impact(one) },
    { name: "share", label: "Share", number: true, wide: true, cell: (one) => format.changeShare(one.impact_share) },
    { name: "severity", label: "Severity", cell: severity },
    { name: "status", label: "Status", wide: true, cell: status },
    { name: "found", label: "Found", wide: true, cell: (one) => moment(one.found_at) },
  ];
  place.append(
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", {}, format.counted(answer.total, "anomaly", "anomalies")),
      copyButton(() => place),
    ),
    table({ caption: "Anomalies", columns, rows: answer.anomalies, empty: "Nothing is out of line." }),
  );
  const turn = pager("anomalies", answer, asked);
  if (turn) {
    place.append(turn);
  }
  return place;
}

function named(one) {
  return [
    el("a", { href: anomalyAddress(one) }, scope(one)),
    el("span", { class: "quiet small block" }, one.source, one.kind === "restatement" && " \u00b7 restatement"),
  ];
}

page.start(draw);
