// How amounts, shares and days are written. Amounts are rounded as strings; `exact` has all their digits.

import * as decimal from "./decimal.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const FULL_MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MINUS = "\u2212";
export const NONE = "\u2013";

function grouped(text) {
  const [whole, fraction] = text.replace("-", "").split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const isZero = !/[1-9]/.test(text);
  return (text.startsWith("-") && !isZero ? MINUS : "") + digits + (fraction ? `.${fraction}` : "");
}

/** Write an amount to the cent: 1,234.57. */
export function amount(text) {
  return grouped(decimal.round(text, 2));
}

/** Write an amount to the cent with its sign, as a change. */
export function change(text) {
  const rounded = decimal.round(text, 2);
  return (decimal.sign(rounded) > 0 ? "+" : "") + grouped(rounded);
}

/** Write all digits of an amount, without the zeros that end it. */
export function exact(text) {
  return grouped(decimal.trim(text));
}

/** Write a whole number of things. */
export function count(number) {
  return grouped(String(number));
}

/** Write a ratio that came as a number: 0.254 is 25.4%. A ratio that is small is not none. */
export function share(ratio) {
  if (ratio === null || ratio === undefined) {
    return NONE;
  }
  const percent = Math.abs(ratio) * 100;
  const tiny = percent > 0 && percent < 0.05;
  const text = tiny ? "<0.1" : percent >= 1000 ? grouped(percent.toFixed(0)) : percent.toFixed(1);
  return `${ratio < 0 && !tiny ? MINUS : ""}${text}%`;
}

/** Write a ratio as a change: +25.4%. */
export function changeShare(ratio) {
  return (ratio > 0 ? "+" : "") + share(ratio);
}

function parts(text) {
  return text.split("-").map(Number);
}

/** Write a day: 3 Mar 2025. */
export function day(text) {
  const [year, month, number] = parts(text);
  return `${number} ${MONTHS[month - 1]} ${year}`;
}

/** Write a billing month, of which any day may be given: March 2025. */
export function month(text) {
  const [year, number] = parts(text);
  return `${FULL_MONTHS[number - 1]} ${year}`;
}

export function shortMonth(text) {
  const [year, number] = parts(text);
  return `${MONTHS[number - 1]} ${year}`;
}

/** Write a range of days, with what the two have in common once: 3 – 9 Mar 2025. */
export function days(first, last) {
  if (first === last) {
    return day(first);
  }
  const [a, b] = [parts(first), parts(last)];
  const start = a[0] !== b[0] ? day(first) : a[1] !== b[1] ? `${a[2]} ${MONTHS[a[1] - 1]}` : String(a[2]);
  return `${start} \u2013 ${day(last)}`;
}

/** Write a range of billing months by days in them. */
export function months(first, last) {
  const [start, end] = [month(first), month(last)];
  return start === end ? `Billing month ${start}` : `Billing months ${start} \u2013 ${end}`;
}

/** Write a period of a chart by its first day. */
export function period(text, per) {
  return per === "month" ? shortMonth(text) : per === "week" ? `Week of ${day(text)}` : day(text);
}

/** Write a moment: Thu 3 Apr 2025, 12:01 UTC. */
export function moment(text) {
  if (!text) {
    return NONE;
  }
  const at = new Date(text);
  const clock = at.toISOString().slice(11, 16);
  return `${DAYS[at.getUTCDay()].slice(0, 3)} ${day(at.toISOString().slice(0, 10))}, ${clock} UTC`;
}

export function weekday(text) {
  return DAYS[new Date(text).getUTCDay()];
}

/** Write a size: 12.3 MB. */
export function bytes(number) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = number < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(number) / 3));
  return power === 0 ? `${number} bytes` : `${(number / 1000 ** power).toFixed(1)} ${units[power]}`;
}

/** Write a number of things with their name: 1 load, 2 loads. */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
