// Ask: a question in plain words, a model's answer, and beside it what each tool that it called answered.
//
// The words of a model are text, never markup, and a number that no tool answered is marked.

import { announce, get, problem, send } from "../api.js";
import { address, badge, el, fill, moment, money } from "../dom.js";
import * as format from "../format.js";
import * as page from "../page.js";
import { copyButton, table } from "../table.js";

const content = document.getElementById("content");
const EXAMPLES = [
  "What did we spend last month, by cloud?",
  "Why did costs change against the month before?",
  "Which team spends most, and how much is untagged?",
];

async function draw() {
  page.title("Ask");
  const box = await get("ask");
  fill(content, el("div", { class: "head" }, el("h1", {}, "Ask")), box.model ? form(box) : nothingToAsk(box));
}

function nothingToAsk(box) {
  return el(
    "div",
    { class: "note" },
    el("p", {}, el("strong", {}, "There is no model to ask.")),
    el("p", {}, box.problem),
    el("p", {}, "Nothing leaves this Airflow until it has one. The page Asking of the documentation says what it takes."),
  );
}

function form(box) {
  const question = el("textarea", {
    id: "question",
    rows: 3,
    maxlength: 2000,
    required: true,
    "aria-describedby": "leaves",
    on: { keydown: (event) => sendOnEnter(event) },
  });
  const button = el("button", { type: "submit", class: "primary" }, "Ask");
  const result = el("div", { class: "stack result" });
  const submit = (event) => {
    event.preventDefault();
    ask(question.value.trim(), { button, question, result });
  };
  const examples = EXAMPLES.map((text) =>
    el("li", {}, el("button", { type: "button", class: "as-link", on: { click: () => suggest(question, text) } }, text)),
  );
  return [
    el(
      "form",
      { class: "panel asking", on: { submit } },
      el("div", { class: "field" }, el("label", { for: "question" }, "Your question"), question),
      el("div", { class: "fields" }, button),
      el(
        "p",
        { id: "leaves", class: "quiet small" },
        `The question goes to ${box.model}${box.server ? ` at ${box.server}` : ""}, and so does what it looks up: costs, `,
        "names and tags of your bills. Questions are logged. Each one stands for itself.",
      ),
      el("ul", { class: "examples", "aria-label": "Examples" }, examples),
    ),
    result,
  ];
}

function sendOnEnter(event) {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
}

function suggest(question, text) {
  question.value = text;
  question.focus();
}

async function ask(text, { button, question, result }) {
  if (!text || button.disabled) {
    return;
  }
  button.disabled = true;
  result.setAttribute("aria-busy", "true");
  fill(result, el("p", { class: "quiet" }, "The model is looking. That takes some seconds."));
  announce("Asking");
  try {
    const answer = await send("ask", { question: text }, "ask");
    fill(result, answered(answer), looked(answer));
    result.querySelector("h2").focus();
    announce("Answered");
  } catch (error) {
    fill(
      result,
      problem(error, () => ask(text, { button, question, result })),
    );
    announce("");
  }
  result.removeAttribute("aria-busy");
  button.disabled = false;
}

function answered(answer) {
  const tokens = answer.input_tokens + answer.output_tokens;
  return el(
    "section",
    { class: "panel", "aria-labelledby": "answer" },
    el("h2", { id: "answer", tabindex: -1 }, "Answer"),
    el("p", { class: "quiet" }, answer.question),
    el("p", { class: "answer" }, answer.answer.map(piece)),
    el("p", { class: "said" }, standing(answer)),
    el(
      "p",
      { class: "quiet small" },
      `${answer.model}, ${answer.seconds} s${tokens ? `, ${format.counted(tokens, "token")}` : ""}. `,
      "A model can be wrong: what counts is below.",
    ),
  );
}

function piece({ text, found }) {
  return found === false
    ? el("mark", { title: "No result below has this number" }, text, el("span", { class: "hidden" }, " (in no result)"))
    : text;
}

function standing(answer) {
  if (!answer.grounded) {
    return badge("bad", "Nothing was looked up: no number of this answer is from your costs");
  }
  if (answer.not_found > 0) {
    return badge("warning", `${answer.not_found} of ${format.counted(answer.amounts, "number")} in no result: marked`);
  }
  return answer.amounts > 0
    ? badge("good", answer.amounts === 1 ? "Its number is in a result" : `All ${answer.amounts} numbers are in results`)
    : badge("plain", "It has no amounts");
}

function looked(answer) {
  return answer.steps.map((step, at) =>
    el(
      "section",
      { class: "panel stack", "aria-labelledby": `step-${at}` },
      el("h2", { id: `step-${at}` }, `${at + 1}. ${step.tool}`),
      Object.keys(step.arguments).length > 0 && el("dl", { class: "facts" }, Object.entries(step.arguments).map(argument)),
      step.statement && el("pre", { tabindex: 0, "aria-label": "SQL" }, step.statement),
      step.refused && el("p", { class: "note" }, step.refused),
      step.said.length > 0 && el("p", { class: "quiet small" }, step.said.join(" · ")),
      step.links.length > 0 &&
        el(
          "p",
          { class: "links" },
          step.links.map((one) => el("a", { href: address(one.address) }, one.label)),
        ),
      step.tables.map((one) => results(one, step)),
      step.as_of && el("p", { class: "quiet small" }, "Published ", moment(step.as_of), `. ${step.estimated_because}`),
    ),
  );
}

function argument([name, value]) {
  const text = Array.isArray(value) ? value.join(", ") : String(value);
  return el("div", {}, el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, text));
}

function results(one, step) {
  const place = el("div");
  const columns = one.columns.map((column, at) => ({
    name: String(at),
    label: column.label,
    number: column.number,
    wrap: !column.number,
    cell: (row) => (column.number ? money(row[at]) : (row[at] ?? format.NONE)),
    key: (row) => row[at],
  }));
  place.append(
    el("div", { class: "bar-of-tools" }, el("h3", {}, one.title), copyButton(() => place)),
    table({ caption: `${step.tool}: ${one.title}`, columns, rows: one.rows }),
    ...(one.more > 0 ? [el("p", { class: "quiet small" }, `${format.count(one.more)} more rows`)] : []),
  );
  return place;
}

page.start(draw);
