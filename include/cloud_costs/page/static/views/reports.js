// Reports: the archive of what was sent, and one of them as it was made.

import { get, show } from "../api.js";
import { address, airflowLink, badge, el, moment } from "../dom.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { pager } from "../pager.js";
import { table } from "../table.js";

const content = document.getElementById("content");
const KINDS = [
  ["", "All"],
  ["daily", "Daily"],
  ["weekly", "Weekly"],
  ["monthly", "Monthly"],
];
const DAG = "../dags/cloud_costs_reports";
let drawn = false;

async function draw() {
  page.title("Reports");
  const query = page.parameters();
  const [kind, period, chosen] = ["kind", "period", "report"].map((name) => query.get(name) ?? "");
  const asked = Object.entries({ kind, period }).filter(([, value]) => value);
  const focused = document.activeElement?.id;
  await show(
    content,
    async (signal) => {
      const answer = await get("reports", [...asked, ["page", Number(query.get("page") ?? 1)]], signal);
      // A link of a mail names the period; its newest report is the one that is meant, unless another one is chosen.
      const id = chosen || (period && answer.reports[0]?.report_id);
      const one = id ? await get(`reports/${id}`, [], signal) : null;
      const found = el("div", { class: "stack" }, form(kind, period), list(answer, asked, one));
      return [head(answer), el("div", { class: one ? "archive" : "" }, one && shown(one), found)];
    },
    "Reports loaded",
  );
  if (drawn) {
    document.getElementById(focused || "report")?.focus();
  }
  drawn = true;
}

function head(answer) {
  return el(
    "div",
    { class: "head" },
    el("h1", {}, "Reports"),
    el(
      "p",
      { class: "said" },
      `${format.counted(answer.total, "report")}. For one of another period, `,
      airflowLink(DAG, "trigger the DAG cloud_costs_reports"),
      ".",
    ),
  );
}

/** A report is HTML that mail clients show. Its frame runs nothing, and the server forbids it to load anything. */
function shown(one) {
  const frame = el("iframe", {
    class: "report",
    sandbox: "",
    src: address(`api/reports/${one.report_id}.html`),
    title: one.subject,
  });
  const pdf = `cloud-costs-${one.kind}-${one.period}.pdf`;
  return el(
    "section",
    { class: "panel", "aria-labelledby": "report" },
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", { id: "report", class: "wrapped", tabindex: "-1" }, one.subject),
      el("a", { href: address(`api/reports/${one.report_id}.pdf`), download: pdf }, "PDF"),
    ),
    el("p", { class: "quiet small" }, "Made ", moment(one.made_at), ". ", sent(one)),
    frame,
  );
}

function sent(one) {
  if (!one.recipients.length) {
    return "It went into the archive alone.";
  }
  const to = one.recipients.join(", ");
  return one.sent_at ? [`Sent to ${to}, `, moment(one.sent_at), "."] : `To be sent to ${to}.`;
}

function form(kind, period) {
  const go = (value) => {
    page.setParameters(value ? [["kind", value]] : []);
    draw();
  };
  return el(
    "div",
    { class: "panel controls" },
    el(
      "div",
      { class: "fields" },
      page.choice("Kind", "kind", KINDS, kind, go),
      period && el("a", { href: address("reports", kind ? [["kind", kind]] : []) }, "All periods"),
    ),
  );
}

function list(answer, asked, open) {
  const columns = [
    { name: "period", label: "Period", cell: (one) => `${kindOf(one)} ${one.period}` },
    { name: "subject", label: "Report", wrap: true, cell: (one) => named(one, asked, open) },
    !open && { name: "made", label: "Made", wide: true, cell: (one) => moment(one.made_at) },
    { name: "sent", label: "Sent", cell: state },
  ].filter(Boolean);
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, format.counted(answer.total, "report")),
    table({ caption: "Reports", columns, rows: answer.reports, empty: "No report was made yet." }),
    pager("reports", answer, asked),
  );
}

function kindOf(one) {
  return KINDS.find(([value]) => value === one.kind)[1];
}

function named(one, asked, open) {
  const href = address("reports", [...asked, ["report", one.report_id]]);
  const current = one.report_id === open?.report_id ? "true" : null;
  return [
    el("a", { href, "aria-current": current }, one.subject),
    one.request && el("span", { class: "quiet small block" }, `Asked for by ${one.request}`),
  ];
}

function state(one) {
  if (!one.recipients.length) {
    return badge("plain", "archive");
  }
  return one.sent_at ? badge("good", "sent") : badge("warning", "not yet");
}

page.followInPlace(draw);
page.start(draw);
