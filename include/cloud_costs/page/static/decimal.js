// Exact arithmetic on amounts, which are strings of decimal digits. A browser's number has 15 of them, and a sum of
// costs has more: it serves for the geometry of a chart (`approximate`), and never for an amount that is shown.

const SHAPE = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/;

/** Return `{units, scale}`, where the value is units / 10^scale; throw on anything but a decimal. */
function parse(text) {
  const match = SHAPE.exec(text);
  if (!match || !(match[2] || match[3])) {
    throw new RangeError(`not a decimal: ${text}`);
  }
  const [, sign, whole, fraction, exponent] = match;
  const units = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const scale = fraction.length - Number(exponent ?? 0);
  return scale < 0 ? { units: units * 10n ** BigInt(-scale), scale: 0 } : { units, scale };
}

function print({ units, scale }) {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const sign = units < 0n ? "-" : "";
  return scale ? `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}` : sign + digits;
}

function unitsAt({ units, scale }, wanted) {
  return units * 10n ** BigInt(wanted - scale);
}

/** Divide, and round a half away from zero, as PostgreSQL's numeric does. */
function divide(dividend, divisor) {
  const negative = dividend < 0n !== divisor < 0n;
  const [above, below] = [dividend < 0n ? -dividend : dividend, divisor < 0n ? -divisor : divisor];
  const quotient = (2n * above + below) / (2n * below);
  return negative ? -quotient : quotient;
}

export function add(...texts) {
  const parts = texts.map(parse);
  const scale = Math.max(0, ...parts.map((part) => part.scale));
  return print({ units: parts.reduce((sum, part) => sum + unitsAt(part, scale), 0n), scale });
}

function negate(text) {
  const { units, scale } = parse(text);
  return print({ units: -units, scale });
}

export function subtract(text, other) {
  return add(text, negate(other));
}

/** Return -1, 0 or 1. */
export function compare(text, other) {
  const sign = parse(subtract(text, other)).units;
  return sign < 0n ? -1 : sign > 0n ? 1 : 0;
}

export function sign(text) {
  return compare(text, "0");
}

export function absolute(text) {
  return sign(text) < 0 ? negate(text) : text;
}

/** Return the value with exactly that many digits after the point, a half rounded away from zero. */
export function round(text, places) {
  const { units, scale } = parse(text);
  const rounded = scale > places ? divide(units, 10n ** BigInt(scale - places)) : unitsAt({ units, scale }, places);
  return print({ units: rounded, scale: places });
}

/** Return text / whole in percent, rounded; null where there is nothing to divide by. */
export function percent(text, whole, places = 1) {
  const [part, all] = [parse(text), parse(whole)];
  if (all.units === 0n) {
    return null;
  }
  const scale = Math.max(part.scale, all.scale);
  const units = divide(unitsAt(part, scale) * 100n * 10n ** BigInt(places), unitsAt(all, scale));
  return print({ units, scale: places });
}

/** Return the value without the zeros that end it, but with two digits after the point at least. */
export function trim(text) {
  const { units, scale } = parse(text);
  const [whole, fraction = ""] = print({ units, scale }).split(".");
  return `${whole}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

/** Return a number of 15 digits, for the geometry of a chart. */
export function approximate(text) {
  return Number(text);
}
