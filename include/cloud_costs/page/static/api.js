// The JSON API, and how an answer comes into the page: busy, announced, or a sentence that says what went wrong.

import { address, el, fill } from "./dom.js";

const SECONDS_BETWEEN_RELOADS = 20;

/** What the API said of a request that it did not answer; `status` is 0 if nothing came back. */
export class ApiError extends Error {
  constructor(status, detail, hint) {
    super(detail);
    this.status = status;
    this.hint = hint;
  }
}

/** Return the answer of `api/<path>`; throw an ApiError. Parameters are pairs, so that one may occur twice. */
export async function get(path, parameters = [], signal = undefined) {
  return answered(address(`api/${path}`, parameters), { headers: { Accept: "application/json" }, signal });
}

/** Send a body, and return the answer; throw an ApiError. The token proves that it comes from this page. */
export async function send(path, body, session = "session") {
  const { token } = await get(session);
  return answered(address(`api/${path}`), {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": token ?? "" },
    body: JSON.stringify(body),
  });
}

async function answered(href, options) {
  let response;
  try {
    response = await fetch(href, options);
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(0, "The server cannot be reached.", "Check the network, then try again.");
  }
  if (response.ok) {
    return response.json();
  }
  throw await refusal(response);
}

async function refusal(response) {
  const body = await response.json().catch(() => null);
  if (response.status === 401) {
    logInAgain();
    return new ApiError(401, "Your login has ended.", "Load this page again to log in.");
  }
  const detail = typeof body?.detail === "string" ? body.detail : `The server answered with error ${response.status}.`;
  return new ApiError(
    response.status,
    detail,
    body?.hint ?? "Try again. If it stays so, look into the log of Airflow's API server.",
  );
}

/** Load the page again, which leads to the login and back; once, so that a login that fails makes no circle. */
function logInAgain() {
  const now = Date.now();
  const before = Number(window.sessionStorage.getItem("cloud-costs-reload") ?? 0);
  if (now - before > SECONDS_BETWEEN_RELOADS * 1000) {
    window.sessionStorage.setItem("cloud-costs-reload", String(now));
    window.location.reload();
  }
}

const status = document.getElementById("status");

/** Tell people who hear the page what has happened. */
export function announce(text) {
  status.textContent = text;
}

const running = new WeakMap();

/**
 * Show in `target` what `work` returns: nodes, given an AbortSignal. Only the newest work of a target is shown. While
 * it runs, the target keeps what it showed before. `done` is announced when it is there; it may be a function.
 */
export async function show(target, work, done = "") {
  running.get(target)?.abort();
  const controller = new AbortController();
  running.set(target, controller);
  target.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => announce("Loading"), 400);
  try {
    const nodes = await work(controller.signal);
    if (!controller.signal.aborted) {
      fill(target, nodes);
      announce(typeof done === "function" ? done() : done);
    }
  } catch (error) {
    if (!controller.signal.aborted) {
      fill(
        target,
        problem(error, () => show(target, work, done)),
      );
      announce("");
    }
  } finally {
    clearTimeout(slow);
    if (running.get(target) === controller) {
      target.removeAttribute("aria-busy");
    }
  }
}

/** Return what went wrong as a sentence, what to do about it, and a button that tries again. */
export function problem(error, again) {
  if (!(error instanceof ApiError)) {
    console.error(error);
  }
  const known = error instanceof ApiError;
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("p", {}, el("strong", {}, known ? error.message : "This page could not show the answer.")),
    el("p", {}, known ? error.hint : `Load the page again, and report this: ${error.message}`),
    again && el("p", {}, el("button", { type: "button", on: { click: again } }, "Try again")),
  );
}
