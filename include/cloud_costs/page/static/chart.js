// Charts by plotly, which comes from its wheel. It is large, so it is loaded when the tables are there. A chart draws
// what the table beside it says; what is hovered is told by a box of our own, because plotly reads tags in names.

import * as decimal from "./decimal.js";
import { el, fill } from "./dom.js";
import * as format from "./format.js";

const PHONE = window.matchMedia("(max-width: 640px)");
const TOUCH = window.matchMedia("(pointer: coarse)");
// Above this number of bars a browser draws areas far quicker.
const MANY_BARS = 2500;
const TOLD = 8;
const COLOURS = 10;

let loading;

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.documentElement.dataset.plotly;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("the chart library could not be loaded"));
    document.head.append(script);
  });
  return loading;
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Return the name of the colour of the group at a place in the order, as style sheets know it. */
export function colourName(at) {
  return at < COLOURS ? `series-${at + 1}` : "series-others";
}

/** Return a figure which says what it shows until the chart is there, and keeps its height. */
export function chart(label, draw) {
  const plot = el("div", { class: "plot", role: "img", "aria-label": label });
  const told = el("div", { class: "told", hidden: true });
  const figure = el("figure", { class: "chart" }, plot, told);
  render(figure, plot, told, draw);
  return figure;
}

async function render(figure, plot, told, draw) {
  let library;
  try {
    library = await plotly();
  } catch {
    fill(plot, el("p", { class: "empty" }, "The chart could not be loaded; the table has all its numbers."));
    return;
  }
  await new Promise(window.requestAnimationFrame); // the figure is in the page by then, unless a newer one is
  if (!figure.isConnected) {
    return;
  }
  const { traces, layout, tell, click, range } = draw();
  const paint = () =>
    library.react(plot, styled(traces), framed(layout, range), {
      displayModeBar: false,
      showTips: false,
      responsive: true,
    });
  await paint();
  const repaint = () => (figure.isConnected ? paint() : document.removeEventListener("theme", repaint));
  document.addEventListener("theme", repaint);
  let hovered;
  plot.on("plotly_hover", (event) => {
    hovered = { at: event.points[0].pointIndex, y: event.yvals[0] };
    place(told, figure, event, tell(hovered));
  });
  plot.on("plotly_unhover", () => {
    told.hidden = true;
  });
  if (click) {
    plot.classList.add("clickable");
    plot.on("plotly_click", () => hovered && click(hovered));
  }
  if (range) {
    plot.on("plotly_relayout", (change) => {
      const [first, last] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (first !== undefined && last !== undefined) {
        range(first, last);
      }
    });
  }
}

function styled(traces) {
  return traces.map(({ colour, faint, ...trace }) => {
    const shade = token(colour);
    return trace.type === "bar"
      ? { ...trace, marker: { color: shade }, hoverinfo: "none" }
      : {
          ...trace,
          line: { color: shade, width: trace.stackgroup ? 0 : 2, dash: faint ? "dot" : "solid" },
          marker: { color: shade, size: 5 },
          fillcolor: trace.stackgroup ? shade : undefined,
          hoverinfo: "none",
        };
  });
}

function framed(layout, range) {
  const line = token("line");
  const axis = {
    gridcolor: line,
    linecolor: line,
    zerolinecolor: token("line-strong"),
    fixedrange: true,
    automargin: true,
  };
  return {
    ...layout,
    height: PHONE.matches ? 220 : 300,
    margin: { l: 8, r: 8, t: 8, b: 8 },
    font: { family: token("font"), size: 12, color: token("text-muted") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false,
    dragmode: range && !TOUCH.matches ? "zoom" : false,
    hovermode: "x",
    xaxis: { ...axis, showgrid: false, ...layout.xaxis, fixedrange: !range || TOUCH.matches },
    yaxis: { ...axis, tickformat: "~s", nticks: 6, ...layout.yaxis },
  };
}

/** Put the box beside the pointer, within the figure. */
function place(told, figure, event, content) {
  fill(told, content);
  told.hidden = false;
  const box = figure.getBoundingClientRect();
  const at = event.event ? event.event.clientX - box.left : 0;
  const left = at + 16 + told.offsetWidth > box.width ? at - told.offsetWidth - 16 : at + 16;
  told.style.left = `${Math.max(0, left)}px`;
}

/**
 * Return costs by period, stacked by group. `series` has `{label, colour, values}`, values as exact decimals. A click
 * is told as the places of the period and the group (-1 for none). A stretch that is marked is told as the places of
 * its first and last period.
 */
export function stacked({ label, periods, per, series, totals, currency, onClick, onRange }) {
  const numbers = series.map((one) => one.values.map(decimal.approximate));
  const areas = periods.length * series.length > MANY_BARS;
  const kind = areas ? { type: "scatter", mode: "lines", stackgroup: "costs" } : { type: "bar" };
  return chart(label, () => ({
    traces: series.map((one, at) => ({ ...kind, x: periods, y: numbers[at], colour: one.colour })),
    layout: {
      barmode: "relative",
      bargap: periods.length > 60 ? 0.05 : 0.2,
      xaxis: { type: "category", ...ticks(periods, per) },
    },
    tell: ({ at, y }) => tellPeriod({ at, of: segment(numbers, at, y), periods, per, series, totals, currency }),
    click: onClick && (({ at, y }) => onClick(at, segment(numbers, at, y))),
    range:
      onRange &&
      ((first, last) => onRange(Math.max(0, Math.round(first)), Math.min(periods.length - 1, Math.round(last)))),
  }));
}

/** Return which group is at a height of a period's bar, -1 for none. Amounts below zero are stacked downwards. */
function segment(numbers, at, y) {
  let [above, below] = [0, 0];
  return numbers.findIndex((values) => {
    const value = values[at];
    const start = value < 0 ? below : above;
    if (value < 0) {
      below += value;
    } else {
      above += value;
    }
    return value < 0 ? y < start && y >= start + value : y >= start && y < start + value;
  });
}

/** Name as many periods as there is room for, each by its first day, and the year where it begins. */
function ticks(periods, per) {
  const step = Math.ceil(periods.length / (PHONE.matches ? 5 : 13));
  const named = periods.filter((_, at) => at % step === 0);
  const text = (one, at) => {
    const [date, year] = per === "month" ? format.shortMonth(one).split(" ") : format.day(one).split(/ (?=\d{4}$)/);
    return at === 0 || named[at - 1].slice(0, 4) !== year ? `${date}<br>${year}` : date;
  };
  return { tickvals: named, ticktext: named.map(text), tickangle: 0 };
}

function tellPeriod({ at, of, periods, per, series, totals, currency }) {
  const rows = series
    .map((one, index) => ({ ...one, index, value: one.values[at] }))
    .filter((one) => decimal.sign(one.value) !== 0)
    .sort((a, b) => decimal.compare(decimal.absolute(b.value), decimal.absolute(a.value)));
  const shown = rows.filter((one, rank) => rank < TOLD || one.index === of);
  return [
    el(
      "p",
      { class: "told-head" },
      el("span", {}, format.period(periods[at], per)),
      el("strong", {}, `${format.amount(totals[at])} ${currency}`),
    ),
    shown.map((one) =>
      el(
        "p",
        { class: one.index === of ? "told-row hovered" : "told-row" },
        swatch(one.colour),
        el("span", { class: "name" }, one.label),
        el("span", {}, format.amount(one.value)),
      ),
    ),
    rows.length > shown.length && el("p", { class: "told-row" }, `and ${rows.length - shown.length} more`),
  ];
}

/** Return a small square in the colour of a group. */
export function swatch(colour, faint = false) {
  const square = el("span", { class: faint ? "swatch faint" : "swatch", "aria-hidden": "true" });
  square.style.backgroundColor = `var(--${colour})`;
  return square;
}

/**
 * Return what each day cost as bars, beside what it should have cost as a line. `days` has `{date, actual, expected}`;
 * those with something expected are the ones that are told, and have a colour of their own.
 */
export function against({ label, days, currency, onClick }) {
  const dates = days.map((one) => one.date);
  const of = (value) => days.map((one) => (value(one) === null ? null : decimal.approximate(value(one))));
  const told = (one) => one.expected !== null;
  return chart(label, () => ({
    traces: [
      { type: "bar", x: dates, y: of((one) => (told(one) ? null : one.actual)), colour: "series-1" },
      { type: "bar", x: dates, y: of((one) => (told(one) ? one.actual : null)), colour: "series-8" },
      { type: "scatter", mode: "lines+markers", x: dates, y: of((one) => one.expected), colour: "text" },
    ],
    layout: {
      barmode: "relative",
      bargap: 0.2,
      xaxis: { type: "category", range: [-0.5, dates.length - 0.5], ...ticks(dates, "day") },
      yaxis: { rangemode: "tozero" },
    },
    tell: ({ at }) => tellAgainst(days[at], currency),
    click: onClick && (({ at }) => onClick(days[at])),
  }));
}

function tellAgainst({ date, actual, expected }, currency) {
  const row = (colour, name, value) =>
    el("p", { class: "told-row" }, swatch(colour), el("span", { class: "name" }, name), el("span", {}, value));
  return [
    el(
      "p",
      { class: "told-head" },
      el("span", {}, format.day(date)),
      el("strong", {}, `${format.amount(actual)} ${currency}`),
    ),
    expected !== null && row("text", "Expected", format.amount(expected)),
    expected !== null && row("series-8", "Above expected", format.change(decimal.subtract(actual, expected))),
  ];
}

/** Return lines over the days of a month. `lines` has `{label, colour, faint, values}`, a value for each day so far. */
export function lines({ label, lines: all, currency }) {
  return chart(label, () => ({
    traces: all.map((one) => ({
      type: "scatter",
      mode: "lines",
      x: one.values.map((_, at) => at + 1),
      y: one.values.map(decimal.approximate),
      colour: one.colour,
      faint: one.faint,
    })),
    layout: {
      xaxis: { range: [0.5, 31.5], tickvals: [1, 5, 10, 15, 20, 25, 31] },
      yaxis: { rangemode: "tozero" },
    },
    tell: ({ at }) => [
      el("p", { class: "told-head" }, el("span", {}, `Day ${at + 1}`)),
      all
        .filter((one) => one.values.length > at)
        .map((one) =>
          el(
            "p",
            { class: "told-row" },
            swatch(one.colour, one.faint),
            el("span", { class: "name" }, one.label),
            el("span", {}, `${format.amount(one.values[at])} ${currency}`),
          ),
        ),
    ],
  }));
}
