// What is looked at: all of it stands in the address, so that a link shows the same to somebody else.
import { useEffect, useState } from "preact/hooks";

export const VIEWS = ["overview", "lines", "alerts", "sources", "fleet", "audit"] as const;
export type View = (typeof VIEWS)[number];

export interface Place {
  view: View;
  since: string;
  until: string;
  filter: string;
  by: string;
  /** Columns of the lines beside what is always shown. */
  columns: string[];
  utc: boolean;
  compare: boolean;
}

const USUAL: Place = { view: "overview", since: "15m", until: "", filter: "", by: "hits", columns: [], utc: false, compare: false };

export function read(search: string): Place {
  const query = new URLSearchParams(search);
  const view = VIEWS.find((view) => view === query.get("view")) ?? USUAL.view;
  return {
    view,
    since: query.get("since") || USUAL.since,
    until: query.get("until") ?? "",
    filter: query.get("filter") ?? "",
    by: query.get("by") || USUAL.by,
    columns: (query.get("columns") ?? "").split(",").filter(Boolean),
    utc: query.get("utc") === "1",
    compare: query.get("compare") === "1",
  };
}

export function write(place: Place): string {
  const query = new URLSearchParams();
  const put = (name: string, value: string, usual: string): void => {
    if (value !== usual) query.set(name, value);
  };
  put("view", place.view, USUAL.view);
  put("since", place.since, USUAL.since);
  put("until", place.until, "");
  put("filter", place.filter, "");
  put("by", place.by, USUAL.by);
  put("columns", place.columns.join(","), "");
  put("utc", place.utc ? "1" : "", "");
  put("compare", place.compare ? "1" : "", "");
  const text = query.toString();
  return text ? `?${text}` : "/";
}

export type Go = (change: Partial<Place>) => void;

export function usePlace(): [Place, Go] {
  const [place, setPlace] = useState(() => read(location.search));
  useEffect(() => {
    const back = (): void => setPlace(read(location.search));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const go: Go = (change) => {
    setPlace((before) => {
      const after = { ...before, ...change };
      const address = write(after);
      if (address !== (location.search || "/")) history.pushState(null, "", address === "/" ? location.pathname : address);
      return after;
    });
  };
  return [place, go];
}

/** From when to when, and of which lines, as the API is asked. */
export function rangeOf(place: Place): { since: string; until: string; filter: string } {
  return { since: place.since, until: place.until, filter: place.filter };
}

/** A value as it is written behind a field's colon. */
function quoted(value: string): string {
  return /^[\w.@-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/** The part of a query that means lines with this value. */
export function partFor(field: string, value: string): string {
  if (field === "section") {
    // A section is the beginning of a path.
    const escaped = value.replace(/[^\w./-]/g, "\\$&");
    return `(path:${quoted(value)} OR path:${escaped}/*)`;
  }
  return `${field}:${quoted(value)}`;
}

/** A query with one part more. */
export function withPart(filter: string, part: string, isWithout = false): string {
  const wanted = isWithout ? `NOT ${part}` : part;
  const parts = filter.trim();
  if (!parts) return wanted;
  if (parts.includes(wanted)) return parts;
  const isAlternative = /(^|\s)(OR|\|\|)\s/.test(parts);
  return `${isAlternative ? `(${parts})` : parts} AND ${wanted}`;
}
