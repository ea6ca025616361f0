// Numbers, sizes and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const brief = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value: number): string => whole.format(value);
export const compact = (value: number): string => (value < 10_000 ? whole.format(value) : brief.format(value));

/** The same beside larger ones, in their unit. */
export const compactBeside = (value: number, largest: number): string => (largest < 10_000 ? whole.format(value) : brief.format(value));

/** Few digits, but never so few that something looks like nothing. */
export function digits(value: number): string {
  if (value === 0) return "0";
  if (value < 0.1) return value.toPrecision(1);
  return value < 10 ? value.toFixed(1) : compact(value);
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

export function share(part: number, all: number): string {
  if (all === 0 || part === 0) return "0 %";
  const percent = (part * 100) / all;
  if (percent < 0.1) return "< 0.1 %";
  return `${percent >= 99.95 || percent >= 10 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}

/** A length of time in nanoseconds. */
export function duration(nanos: number): string {
  if (nanos < 1e3) return `${nanos} ns`;
  if (nanos < 1e6) return `${(nanos / 1e3).toFixed(0)} µs`;
  if (nanos < 1e7) return `${(nanos / 1e6).toFixed(1)} ms`;
  if (nanos < 1e9) return `${(nanos / 1e6).toFixed(0)} ms`;
  return `${(nanos / 1e9).toFixed(nanos < 1e10 ? 2 : 1)} s`;
}

export function seconds(value: number): string {
  if (value < 60) return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  if (value < 172_800) return `${Math.floor(value / 3600)} h`;
  return `${Math.floor(value / 86_400)} d`;
}

const two = (value: number): string => String(value).padStart(2, "0");

interface Parts {
  date: string;
  time: string;
  millis: string;
}

function parts(at: Date, utc: boolean): Parts {
  const [year, month, day, hour, minute, second] = utc
    ? [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
    : [at.getFullYear(), at.getMonth(), at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()];
  return {
    date: `${year}-${two((month ?? 0) + 1)}-${two(day ?? 0)}`,
    time: `${two(hour ?? 0)}:${two(minute ?? 0)}:${two(second ?? 0)}`,
    millis: String(at.getMilliseconds()).padStart(3, "0"),
  };
}

/** The zone that times are shown in. */
export function zone(utc: boolean): string {
  if (utc) return "UTC";
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** A moment to the millisecond. */
export function moment(text: string | number, utc: boolean): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  const { date, time, millis } = parts(at, utc);
  return `${date} ${time}.${millis}`;
}

/** The same without what is the same for all that is seen. */
export function clock(at: number, utc: boolean, length: number): string {
  const { date, time } = parts(new Date(at), utc);
  if (length > 172_800_000) return `${date.slice(5)} ${time.slice(0, 5)}`;
  return length > 600_000 ? time.slice(0, 5) : time;
}
