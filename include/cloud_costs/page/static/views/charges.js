// Charges: the FOCUS charges behind a number, 200 on a page, and the way down to the lines of each.

import { get, show } from "../api.js";
import { address, el, fill } from "../dom.js";
import { chips } from "../explore_filters.js";
import { chargesAddress, exploreAddress, read } from "../explore_state.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { isNumber, records, written } from "../record.js";
import { copyButton, table } from "../table.js";

const content = document.getElementById("content");
// What a person asks of a charge first; all other columns are one click away.
const FIRST = [
  "ChargePeriodStart",
  "BilledCost",
  "EffectiveCost",
  "ServiceName",
  "ChargeDescription",
  "SubAccountName",
  "RegionId",
  "ChargeCategory",
  "ConsumedQuantity",
  "ConsumedUnit",
];

const WRAPPED = ["ChargeDescription", "ServiceName", "SubAccountName"];

/** As stored, the first page is there at once; the largest first means reading all charges. */
function orderOf() {
  return page.parameters().get("order") === "largest" ? "largest" : "stored";
}

function withOrder(href, order) {
  return order === "largest" ? `${href}&order=largest` : href;
}

async function draw(found) {
  const state = read(found);
  const number = Number(page.parameters().get("page") ?? 1);
  page.title("Charges");
  await show(
    content,
    async (signal) => {
      const asked = new URL(chargesAddress(state), document.baseURI).searchParams;
      const answer = await get("charges", [...asked, ["order", orderOf()], ["page", number]], signal);
      return [head(state, found), list(state, answer)];
    },
    () => `Page ${number} of the charges loaded`,
  );
}

function head(state, found) {
  const go = (next) => page.goTo(withOrder(chargesAddress(next), orderOf()));
  const when = state.dates === "billing" ? format.months(state.from, state.to) : format.days(state.from, state.to);
  const filters = el("div", { class: "chips" });
  fill(filters, chips(state, found, go));
  return el(
    "div",
    { class: "head" },
    page.trail(["Explore", exploreAddress(state)], ["Charges"]),
    el("h1", {}, "Charges"),
    el(
      "p",
      { class: "quiet" },
      `${when}, in ${state.currency}. Each row is one charge in the terms of FOCUS; amounts have all their digits.`,
    ),
    filters,
  );
}

function list(state, answer) {
  const place = el("section", { class: "panel" });
  let all = false;
  const redraw = () => {
    const chosen = all ? answer.columns : firstOf(answer);
    fill(
      place,
      el(
        "div",
        { class: "bar-of-tools" },
        el("h2", {}, `Page ${answer.page}`),
        page.segmented(
          "Order",
          "order",
          [
            ["stored", "As stored"],
            ["largest", "Largest first"],
          ],
          orderOf(),
          (order) => page.goTo(withOrder(chargesAddress(state), order)),
        ),
        el("label", { class: "check" }, everything, `All ${answer.columns.length} columns`),
        copyButton(() => place),
        el("span", { class: "quiet small" }, `${Math.max(1, Math.round(answer.milliseconds))} ms`),
      ),
      answer.note && el("p", { class: "note" }, answer.note),
      charges(answer, chosen),
      pager(state, answer),
    );
  };
  const everything = el("input", {
    type: "checkbox",
    id: "all-columns",
    on: {
      change: () => {
        all = everything.checked;
        redraw();
        everything.focus();
      },
    },
  });
  redraw();
  return place;
}

/** Return the columns that people ask for first, in that order; where no account has a name, its number. */
function firstOf({ columns, charges: rows }) {
  const at = columns.findIndex((column) => column.label === "SubAccountName");
  const isNamed = rows.some((row) => row.values[at]);
  const wanted = isNamed ? FIRST : FIRST.map((name) => (name === "SubAccountName" ? "SubAccountId" : name));
  const byName = new Map(columns.map((column) => [column.label.toLowerCase(), column]));
  const found = wanted.map((name) => byName.get(name.toLowerCase())).filter(Boolean);
  return found.length ? found : columns;
}

function charges(answer, chosen) {
  const place = new Map(answer.columns.map((column, at) => [column.name, at]));
  const value = (row, column) => row.values[place.get(column.name)];
  const columns = chosen.map((column, at) => ({
    name: column.name,
    label: column.label,
    title: column.name,
    number: isNumber(column),
    wrap: WRAPPED.includes(column.label),
    longer: column.label === "ChargeDescription",
    key: (row) => value(row, column),
    cell: (row) => (at === 0 ? firstCell(value(row, column)) : written(value(row, column), column)),
  }));
  columns.splice(1, 0, { name: "down", label: "Behind it", cell: (row) => down(row, answer) });
  return table({ caption: "FOCUS charges", columns, rows: answer.charges, empty: "There are no charges here." });
}

/** The time of a charge is most often the start of a day or an hour. */
function firstCell(text) {
  return text === null ? "\u2013" : text.replace(/[T ]00:00:00(\.0+)?(\+00(:00)?|Z)?$/, "").replace("T", " ");
}

function down(row, answer) {
  return el(
    "span",
    { class: "links" },
    row.line !== null
      ? el(
          "a",
          { href: address("lines", { source: row.source, billing_period: row.billing_period, line: row.line }) },
          "Lines",
        )
      : el("span", { class: "quiet", title: "This charge was made of many lines of its month" }, "Many lines"),
    el("button", { type: "button", class: "as-link", on: { click: () => everyField(row, answer) } }, "All fields"),
  );
}

function everyField(row, answer) {
  const dialog = el(
    "dialog",
    { class: "large", "aria-labelledby": "fields-title" },
    el("h2", { id: "fields-title" }, "One charge"),
    records(answer.columns, [row.values], ["Value"], "All fields of the charge"),
    el(
      "div",
      { class: "buttons" },
      el("button", { type: "button", class: "primary", on: { click: () => dialog.close() } }, "Close"),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function pager(state, answer) {
  const to = (number) => withOrder(`${chargesAddress(state)}&page=${number}`, orderOf());
  return el(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    answer.page > 1 && el("a", { href: to(answer.page - 1), rel: "prev" }, "\u2190 Page before"),
    answer.next !== null && el("a", { href: to(answer.next), rel: "next" }, "Next page \u2192"),
    answer.next === null && answer.page > 1 && el("span", { class: "quiet" }, "This is the last page."),
  );
}

page.start(draw);
