// Elements, made without HTML. Tags, accounts and services are data of other people: each of them becomes a text node,
// and `<script>` as a tag is shown as these eight letters.

import * as format from "./format.js";

/** Return an element. Children are nodes or texts; null and false are left out. `on` has listeners by event. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (key === "on") {
      Object.entries(value).forEach(([event, listener]) => element.addEventListener(event, listener));
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...present(children));
  return element;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Give an element other children. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/** Return a link; an address that is not of the web, such as `javascript:`, becomes plain text. */
export function link(href, attributes, ...children) {
  const scheme = href ? new URL(href, document.baseURI).protocol : "";
  return scheme === "http:" || scheme === "https:"
    ? el("a", { ...attributes, href }, ...children)
    : el("span", {}, ...children);
}

const root = document.documentElement.dataset.root;

/** Return the address of a view of this app with its parameters, relative to this page. */
export function address(path, parameters) {
  const query = parameters ? new URLSearchParams(parameters).toString() : "";
  return `${root}/${path}${query ? `?${query}` : ""}`;
}

/** Return a relative address of Airflow, which answers give from the root of this app. */
function fromRoot(href) {
  return /^[a-z]+:|^\//i.test(href) ? href : `${root}/${href}`;
}

/** Return a link to a page of Airflow itself; shell.js opens it in the window around the frame. */
export function airflowLink(href, ...children) {
  return href ? link(fromRoot(href), { "data-airflow": true }, ...children) : null;
}

/** Return an amount to the cent, which has all its digits in its title, its value and what is copied of it. */
export function money(text, currency = "", attributes = {}) {
  if (text === null || text === undefined) {
    return el("span", { class: "none" }, format.NONE);
  }
  const exact = format.exact(text);
  return el(
    "data",
    { ...attributes, value: text, title: currency ? `${exact} ${currency}` : exact },
    format.amount(text),
  );
}

/** Return an amount with all its digits. */
export function exactMoney(text) {
  return text === null || text === undefined ? money(text) : el("data", { value: text }, format.exact(text));
}

const DIRECTIONS = { "-1": ["down", "\u25bc"], 0: ["same", ""], 1: ["up", "\u25b2"] };

/** Return a change: its direction as a sign, a colour and an arrow. */
export function changed(text, currency = "") {
  if (text === null || text === undefined) {
    return money(null);
  }
  const written = format.change(text);
  const [name, arrow] = DIRECTIONS[written.startsWith("+") ? 1 : /[1-9]/.test(written) ? -1 : 0];
  return el(
    "span",
    { class: `change ${name}` },
    arrow && el("span", { class: "arrow", "aria-hidden": "true" }, arrow),
    el("data", { value: text, title: `${format.exact(text)} ${currency}`.trim() }, written),
  );
}

/** Return a share as a number and a bar. */
export function shareBar(ratio) {
  const width = Math.max(0, Math.min(1, ratio ?? 0)) * 100;
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("span", {}));
  bar.firstChild.style.width = `${width.toFixed(2)}%`;
  return el("span", { class: "share" }, bar, el("span", {}, format.share(ratio)));
}

/** Return a time, as people read it. */
export function moment(text) {
  return text ? el("time", { datetime: text }, format.moment(text)) : el("span", { class: "none" }, format.NONE);
}

/** Return a small label of a state: good, warning, bad or plain. */
export function badge(kind, text, title) {
  return el("span", { class: `badge ${kind}`, title }, text);
}
