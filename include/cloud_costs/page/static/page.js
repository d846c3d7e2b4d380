// What every view shares: the context, the currency, the links to Airflow, and the address that holds the state.

import { get, problem } from "./api.js";
import { copyExactly, copyText } from "./clipboard.js";
import { address, airflowLink, el, fill, moment } from "./dom.js";

const SECONDS_TO_LOOK_AGAIN = 5;
const main = document.getElementById("main");
const outer = (() => {
  try {
    return window.parent === window ? null : window.frameElement;
  } catch {
    return null; // a frame of another origin
  }
})();

let known;

/** Return what the page can ask for; it is asked once. */
function context() {
  known ??= get("context").catch((error) => {
    known = undefined;
    throw error;
  });
  return known;
}

/** Return the parameters of this page's address. */
export function parameters() {
  return new URLSearchParams(window.location.search);
}

/** Put parameters into the address: as a step that Back undoes, or in place of the present ones. */
export function setParameters(pairs, { replace = false } = {}) {
  const query = new URLSearchParams(pairs).toString();
  const target = query ? `?${query}` : window.location.pathname;
  if (query !== parameters().toString()) {
    window.history[replace ? "replaceState" : "pushState"](null, "", target);
    tellAirflow();
  }
}

/** Airflow reads the address of its frame, and puts it into its own, whenever the frame has loaded. */
function tellAirflow() {
  outer?.dispatchEvent(new Event("load"));
}

/**
 * Show a view: `draw(context)` fills the page, now and whenever the address changes without a new page. Without any
 * published month, the page says how to get one.
 */
export async function start(draw) {
  const content = document.getElementById("content");
  const enter = async () => {
    try {
      const found = await context();
      drawShell(found);
      if (found.default_currency === null) {
        known = undefined;
        fill(content, nothingYet(found, enter));
      } else {
        await draw(found);
      }
    } catch (error) {
      fill(content, problem(error, enter));
    }
    content.removeAttribute("aria-busy");
  };
  bindShell();
  window.addEventListener("popstate", () => {
    enter();
    tellAirflow();
  });
  await enter();
}

function nothingYet(found, again) {
  setTimeout(again, SECONDS_TO_LOOK_AGAIN * 1000);
  return el(
    "div",
    { class: "note" },
    el("p", {}, el("strong", {}, "No billing month is published yet.")),
    el(
      "p",
      {},
      "The DAG cloud_costs loads them. If its first run is under way, this page shows them when it has ended.",
    ),
    el("p", {}, airflowLink(found.dag_url, "Open the DAG in Airflow")),
  );
}

/** Return the currency of the address, or the one with the most costs. */
export function currency(found) {
  const wanted = parameters().get("currency");
  return found.currencies.some((one) => one.currency === wanted) ? wanted : found.default_currency;
}

function drawShell(found) {
  drawCurrencies(found);
  const asOf = document.getElementById("as-of");
  fill(asOf, found.as_of && ["Newest delivery published ", moment(found.as_of)]);
  fill(document.getElementById("shell-dag"), !outer && airflowLink(found.dag_url, "DAG in Airflow"));
  const chosen = currency(found);
  for (const item of document.querySelectorAll("nav[aria-label=Views] a")) {
    const path = item.dataset.path;
    item.href = chosen === found.default_currency ? address(path) : address(path, { currency: chosen });
  }
}

/** With one currency there is nothing to choose, and its name is beside every amount. */
function drawCurrencies(found) {
  const place = document.getElementById("shell-currency");
  if (found.currencies.length < 2 || !place.dataset.uses) {
    fill(place);
    return;
  }
  const chosen = currency(found);
  const select = el("select", { id: "currency-choice", on: { change: () => chooseCurrency(select.value) } });
  for (const one of found.currencies) {
    const option = el("option", { value: one.currency }, one.currency);
    option.selected = one.currency === chosen;
    select.append(option);
  }
  fill(place, el("label", { for: "currency-choice" }, "Currency"), select);
}

function chooseCurrency(name) {
  const pairs = parameters();
  pairs.set("currency", name);
  setParameters(pairs);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

function bindShell() {
  const current = document.querySelector("[aria-current=page]");
  if (current) {
    // scrollIntoView would make the first Tab go to the next link, and past the one that skips to the costs.
    const nav = current.closest("nav");
    const [link, shown] = [current.getBoundingClientRect(), nav.getBoundingClientRect()];
    nav.scrollLeft += link.left - shown.left - (shown.width - link.width) / 2;
  }
  copyExactly();
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  document.getElementById("copy-link").addEventListener("click", () => {
    copyText(window.location.href, "Link copied: it shows a colleague the same");
  });
  if (outer) {
    document.documentElement.dataset.framed = "";
    document.addEventListener("click", openAroundFrame);
  }
}

/** Airflow's frame may neither open windows nor leave itself. A link of the document around it may. */
function openAroundFrame(event) {
  const anchor = event.target.closest?.("a[data-airflow]");
  if (anchor) {
    event.preventDefault();
    const step = window.parent.document.createElement("a");
    step.href = anchor.href;
    step.click();
  }
}

/** Follow links to this same view without loading the page again, so that an analysis stays quick. */
export function followInPlace(draw) {
  document.addEventListener("click", (event) => {
    const anchor = event.target.closest?.("a[href]");
    const plainClick = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!anchor || !plainClick || event.defaultPrevented || anchor.download || anchor.dataset.airflow) {
      return;
    }
    const target = new URL(anchor.href);
    if (target.origin === window.location.origin && target.pathname === window.location.pathname) {
      event.preventDefault();
      setParameters(target.searchParams);
      draw();
    }
  });
}

/** Go to an address as a click on a link does. */
export function goTo(href) {
  const step = el("a", { href, hidden: true });
  document.body.append(step);
  step.click();
  step.remove();
}

/** Name the page in the window's title. */
export function title(text) {
  document.title = `${text} \u00b7 Cloud Costs`;
}

/** Return a choice of a few as radio buttons that look like one switch. */
export function segmented(legend, name, options, chosen, onChange) {
  const buttons = options.map(([value, label]) => {
    const input = el("input", { type: "radio", name, value, on: { change: () => onChange(value) } });
    input.checked = value === chosen;
    return el("label", {}, input, el("span", {}, label));
  });
  return el("fieldset", { class: "segmented" }, el("legend", { class: "hidden" }, legend), buttons);
}

/** Return the label and the choice of a select. */
export function choice(label, id, options, chosen, onChange) {
  const select = el("select", { id, on: { change: () => onChange(select.value) } });
  for (const [value, text] of options) {
    const option = el("option", { value }, text);
    option.selected = value === chosen;
    select.append(option);
  }
  return el("div", { class: "field" }, el("label", { for: id }, label), select);
}

/** Return the way back as links: Explore › Charges. */
export function trail(...steps) {
  const items = steps.map(([text, href]) =>
    el("li", {}, href ? el("a", { href }, text) : el("span", { "aria-current": "page" }, text)),
  );
  return el("nav", { class: "trail", "aria-label": "Where this is" }, el("ol", {}, items));
}

export const METRICS = [
  ["billed_cost", "Billed"],
  ["effective_cost", "Effective"],
  ["list_cost", "List"],
];

export const MEANINGS = {
  billed_cost: "What the invoice says.",
  effective_cost: "Commitments are spread over their use.",
  list_cost: "At public on-demand prices.",
};
