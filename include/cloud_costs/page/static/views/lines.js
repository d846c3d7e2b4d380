// Lines: what the provider exported, column by column, behind one charge; and the delivery that brought it.

import { get, show } from "../api.js";
import { address, el, moment } from "../dom.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { records } from "../record.js";
import { copyButton } from "../table.js";

const content = document.getElementById("content");

async function draw() {
  page.title("Lines");
  await show(
    content,
    async (signal) => {
      const answer = await get("lines", [...page.parameters()], signal);
      return view(answer);
    },
    "Lines loaded",
  );
}

function view(answer) {
  const { load, lines, columns } = answer;
  const files = [...new Set(lines.map((line) => line.file).filter(Boolean))];
  const place = el("section", { class: "panel" });
  place.append(
    el(
      "div",
      { class: "bar-of-tools" },
      el("h2", {}, format.counted(lines.length, "line")),
      lines.length > 0 && copyButton(() => place),
    ),
    ...(lines.length
      ? records(
          columns,
          lines.map((line) => line.values),
          lines.map((_, at) => `Line ${at + 1}`),
          "Exported lines",
        )
      : [el("p", { class: "empty" }, "The lines of this charge are not kept any more.")]),
  );
  return [
    el(
      "div",
      { class: "head" },
      page.trail(["Explore", address("explore")], ["Lines"]),
      el("h1", {}, "Exported lines"),
      el(
        "p",
        {},
        `Source ${load.source}, billing month ${format.month(load.billing_period)}, as the provider delivered it. `,
        el("a", { href: address(`loads/${load.load_id}`) }, `Load ${load.load_id}`),
        ` brought version ${load.version ?? "without a name"}, published `,
        moment(load.published_at),
        ".",
      ),
      files.length > 0 && el("p", { class: "quiet" }, `From the file ${files.join(", ")}`),
    ),
    place,
  ];
}

page.start(draw);
