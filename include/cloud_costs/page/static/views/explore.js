// Explore: costs of any days or billing months, by up to two dimensions. The address is the state.

import { show } from "../api.js";
import { el, fill } from "../dom.js";
import { controls } from "../explore_controls.js";
import { chips } from "../explore_filters.js";
import { result } from "../explore_result.js";
import { EACH, addressPairs, read } from "../explore_state.js";
import * as page from "../page.js";

const content = document.getElementById("content");
const places = {
  controls: el("div"),
  chips: el("div", { class: "chips" }),
  results: el("div", { class: "stack" }),
};
let known;

function draw(found) {
  known = found;
  const state = read(found);
  page.setParameters(addressPairs(state), { replace: true });
  page.title("Explore");
  if (!places.results.isConnected) {
    const panel = el("div", { class: "panel controls" }, places.controls, places.chips);
    fill(content, el("h1", { class: "hidden" }, "Explore costs"), panel, places.results);
  }
  keepingFocus(() => {
    fill(places.controls, controls(state, found, go));
    fill(places.chips, chips(state, found, go));
  });
  return drawResults(state, found);
}

/** Controls are made anew with every step; the one that has the focus keeps it. */
function keepingFocus(work) {
  const focused = document.activeElement?.id;
  work();
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus();
  }
}

/** Each currency has a section of its own: a sum of two of them is no amount of anything. */
async function drawResults(state, found) {
  const names = state.currency === EACH ? found.currencies.map((one) => one.currency) : [state.currency];
  const sections = [...places.results.children];
  if (sections.map((one) => one.dataset.currency).join() !== names.join()) {
    fill(
      places.results,
      names.map((name) =>
        el("section", { class: "panel result", "data-currency": name, "aria-label": `Costs in ${name}` }),
      ),
    );
  }
  const each = names.map((currency, at) => {
    const section = places.results.children[at];
    let said = "";
    return show(
      section,
      async (signal) => {
        const answer = await result({ ...state, currency }, found, signal, sorted);
        said = answer.said;
        return answer.nodes;
      },
      () => said,
    );
  });
  await Promise.all(each);
}

/** Take a step to another state. */
function go(state) {
  page.setParameters(addressPairs(state));
  draw(known);
}

/** Sorting asks nothing of the server, and is no step back. */
function sorted({ name, descending }) {
  const state = { ...read(known), sort: `${descending ? "-" : ""}${name}` };
  page.setParameters(addressPairs(state), { replace: true });
}

page.followInPlace(() => draw(known));
page.start(draw);
