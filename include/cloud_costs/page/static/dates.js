// Days as `YYYY-MM-DD` and billing months as `YYYY-MM`. They have no time zone, so each is reckoned in UTC.

const DAY = 86_400_000;

function stamp(day) {
  return Date.parse(`${day}T00:00:00Z`);
}

function text(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

export function addDays(day, number) {
  return text(stamp(day) + number * DAY);
}

/** Return the month that is `number` months after the one of a day or month. */
export function addMonths(month, number) {
  const [year, index] = month.split("-").map(Number);
  const months = year * 12 + index - 1 + number;
  return `${String(Math.floor(months / 12)).padStart(4, "0")}-${String((months % 12) + 1).padStart(2, "0")}`;
}

export function monthOf(day) {
  return day.slice(0, 7);
}

export function firstDay(month) {
  return `${monthOf(month)}-01`;
}

export function lastDay(month) {
  return addDays(firstDay(addMonths(month, 1)), -1);
}

/** Return the number of days from the first to the last, both counted. */
export function daysBetween(first, last) {
  return Math.round((stamp(last) - stamp(first)) / DAY) + 1;
}

/** Return the last day of a period that begins on a day. */
export function endOfPeriod(first, per) {
  return per === "month" ? lastDay(first) : per === "week" ? addDays(first, 6) : first;
}

/** Return whether the text is a day that exists. */
export function isDay(value) {
  return /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(stamp(value)) && text(stamp(value)) === value;
}
