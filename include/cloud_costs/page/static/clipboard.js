// What is copied has all digits: an amount on the page is rounded to the cent.

import { announce } from "./api.js";
import { el } from "./dom.js";

/** Copy a text, and say so. A page without TLS has no clipboard of its own, so a text field lends its one. */
export async function copyText(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = el("textarea", { "aria-hidden": "true", class: "hidden" });
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  say(done);
}

function say(text) {
  announce(text);
  document.querySelector(".toast")?.remove();
  const toast = el("p", { class: "toast", "aria-hidden": "true" }, text);
  document.body.append(toast);
  setTimeout(() => toast.remove(), 2500);
}

/** Let a person who selects an amount and copies it get all its digits. */
export function copyExactly() {
  document.addEventListener("copy", (event) => {
    const selection = window.getSelection();
    const [start, end] = [selection.anchorNode, selection.focusNode].map((node) =>
      node?.parentElement?.closest("data"),
    );
    if (start && start === end && start.value) {
      event.clipboardData.setData("text/plain", start.value);
      event.preventDefault();
    }
  });
}
