// The way to the page before and the page after.

import { address, el } from "./dom.js";

/** Return links to the pages beside the one of an answer; null where it has all there is. */
export function pager(path, answer, parameters = []) {
  if (answer.page === 1 && answer.next === null) {
    return null;
  }
  const to = (number, name, rel) => el("a", { href: address(path, [...parameters, ["page", number]]), rel }, name);
  return el(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    answer.page > 1 && to(answer.page - 1, "Page before", "prev"),
    answer.next !== null && to(answer.next, "Next page", "next"),
  );
}
