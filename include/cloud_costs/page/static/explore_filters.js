// The filters of Explore: a chip for each, and a dialog that adds some. Values of one dimension widen what is found,
// and dimensions narrow it.

import { get, show } from "./api.js";
import { el, money } from "./dom.js";
import { EACH, pairs, splitFilter } from "./explore_state.js";
import { choice } from "./page.js";

const VALUES = "50";

/** Labels of values that answers have told, such as names of accounts. */
const labels = new Map();

/** Remember what values are called, for chips. */
export function learn(dimensions, groups) {
  for (const group of groups) {
    group.values.forEach((value, at) => labels.set(`${dimensions[at].name}:${value}`, group.labels[at]));
  }
}

function dimensionOf(filter, found) {
  const [name] = splitFilter(filter);
  return found.dimensions.find((one) => one.name === name) ?? { name, label: name, none: "none" };
}

function labelOf(filter, found) {
  const [, value] = splitFilter(filter);
  return labels.get(filter) ?? (value === "" ? dimensionOf(filter, found).none : value);
}

/** Return the filters as a list, each with a button that takes it away. */
export function chips(state, found, go) {
  return [
    state.filters.length > 0 &&
      el(
        "ul",
        { "aria-label": "Filters" },
        state.filters.map((filter) => el("li", {}, chip(filter, state, found, go))),
      ),
    el(
      "button",
      { type: "button", id: "add-filter", class: "quiet", on: { click: () => open(state, found, go) } },
      "+ Filter",
    ),
    state.filters.length > 1 &&
      el(
        "button",
        { type: "button", class: "quiet", on: { click: () => go({ ...state, filters: [] }) } },
        "Clear filters",
      ),
  ];
}

function chip(filter, state, found, go) {
  const [dimension, text] = [dimensionOf(filter, found).label, labelOf(filter, found)];
  const remove = () => go({ ...state, filters: state.filters.filter((one) => one !== filter) });
  return el(
    "button",
    { type: "button", class: "chip", "aria-label": `Remove the filter ${dimension}: ${text}`, on: { click: remove } },
    el("span", { class: "quiet" }, dimension),
    " ",
    el("span", { "data-filter": filter }, text),
    el("span", { class: "cross", "aria-hidden": "true" }, "\u00d7"),
  );
}

/** Call the chips by the names that the answer told. */
export function renameChips(found) {
  for (const name of document.querySelectorAll(".chip [data-filter]")) {
    const { filter } = name.dataset;
    name.textContent = labelOf(filter, found);
    name
      .closest("button")
      .setAttribute("aria-label", `Remove the filter ${dimensionOf(filter, found).label}: ${name.textContent}`);
  }
}

function open(state, found, go) {
  const picked = new Set(state.filters);
  const values = el("div", { class: "values" });
  const search = el("input", { id: "filter-search", type: "search", placeholder: "Search, or type a whole value" });
  let dimension = found.dimensions.find((one) => !state.groups.includes(one.name))?.name ?? found.dimensions[0].name;
  const load = () => show(values, (signal) => options(state, found, dimension, picked, signal));
  const dialog = el(
    "dialog",
    { "aria-labelledby": "filter-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "filter-title" }, "Filter"),
      choice(
        "Dimension",
        "filter-dimension",
        found.dimensions.map((one) => [one.name, one.label]),
        dimension,
        (value) => {
          dimension = value;
          search.value = "";
          load();
        },
      ),
      el("div", { class: "field" }, el("label", { for: "filter-search" }, "Values"), search),
      values,
      el(
        "div",
        { class: "buttons" },
        el("button", { type: "button", class: "quiet", on: { click: () => dialog.close("cancel") } }, "Cancel"),
        el("button", { value: "apply", class: "primary" }, "Apply"),
      ),
    ),
  );
  search.addEventListener("input", () => narrow(values, search.value));
  dialog.addEventListener("close", () => {
    dialog.remove();
    document.getElementById("add-filter")?.focus();
    if (dialog.returnValue === "apply") {
      go({ ...state, filters: [...new Set([...picked, ...sought(values, search.value.trim(), dimension)])] });
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  load();
}

/** Return the filter that a text means which is still in the search: the only value that it finds, or a whole value. */
function sought(values, text, dimension) {
  if (!text) {
    return [];
  }
  const left = values.querySelectorAll("label:not([hidden])");
  return left.length === 0 ? [`${dimension}:${text}`] : left.length === 1 ? [left[0].dataset.filter] : [];
}

/** Return the largest values of a dimension, as check boxes; filters of other dimensions narrow them. */
async function options(state, found, dimension, picked, signal) {
  const asked = {
    ...state,
    groups: [dimension],
    filters: state.filters.filter((filter) => splitFilter(filter)[0] !== dimension),
    currency: state.currency === EACH ? found.default_currency : state.currency,
    compare: "none",
    per: "month",
    top: VALUES,
  };
  const answer = await get("explore", pairs(asked), signal);
  learn(answer.dimensions, answer.groups);
  const rows = answer.groups.map((group) => {
    const filter = `${dimension}:${group.values[0]}`;
    const box = el("input", {
      type: "checkbox",
      on: { change: () => (box.checked ? picked.add(filter) : picked.delete(filter)) },
    });
    box.checked = picked.has(filter);
    return el(
      "label",
      { "data-filter": filter, "data-text": `${group.labels[0]} ${group.values[0]}`.toLowerCase() },
      box,
      el("span", {}, group.labels[0]),
      money(group.total, answer.currency),
    );
  });
  return [
    rows.length ? rows : el("p", { class: "empty" }, "There are no values in this range."),
    answer.others &&
      el(
        "p",
        { class: "quiet small" },
        `${answer.others.groups} smaller values are not listed. Type one whole to filter by it.`,
      ),
  ];
}

function narrow(values, text) {
  const wanted = text.trim().toLowerCase();
  for (const label of values.querySelectorAll("label")) {
    label.hidden = !label.dataset.text.includes(wanted);
  }
}
