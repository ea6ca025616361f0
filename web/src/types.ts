// What the REST API answers; openapi.json has it all.

export interface Sum {
  value: number;
  at_most_over: number;
}

export interface About {
  count: number;
  error: number;
}

export interface Quantiles {
  lines: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface Classes {
  none: number;
  informational: number;
  success: number;
  redirection: number;
  client_error: number;
  server_error: number;
}

export interface Summary {
  hits: number;
  bytes: number;
  errors: number;
  classes: Classes;
  rate: { hits: number; bytes: number };
  now: { hits: number; bytes: number };
  clients: About;
  latency: Quantiles | null;
  late: number;
}

export interface Point {
  at: number;
  is_open: boolean;
  hits: Sum;
  bytes: Sum;
  errors: Sum;
  classes: Classes;
  clients: About;
  latency: Quantiles | null;
}

export interface Series {
  step: number;
  points: Point[];
}

export interface Row {
  key: { id: string; text: string; is_cut: boolean } | null;
  hits: Sum;
  bytes: Sum;
  errors: Sum;
  classes: Classes;
  clients: About;
  latency: Quantiles | null;
}

export interface Top {
  dimension: string;
  rows: Row[];
  known_keys: number;
  hits: number;
  trends: number[][];
}

export interface Overview {
  origin: "live" | "stored";
  since: string;
  until: string;
  summary: Summary;
  series: Series;
  tops: Top[];
}

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
export type Document = { [name: string]: Json };

export interface Found {
  id: string | null;
  document: Document;
}

export interface Lines {
  origin: "live" | "stored";
  total: number | null;
  lines: Found[];
  next: string | null;
}

export interface NewLines {
  skipped: number;
  lines: Document[];
}

export interface Around {
  lines: Found[];
  at: number;
}

export interface Fields {
  fields: { name: string; type: string }[];
  short_names: Record<string, string>;
}

export interface Values {
  field: string;
  values: { value: string; hits: number }[];
}

export interface Source {
  path: string;
  dataset?: string | null;
  lines: number;
  failures: number;
  lag_bytes: number | null;
  lag_seconds: number | null;
  newest?: string | null;
  silent_seconds?: number | null;
}

export interface Sources {
  sources: Source[];
  unreadable: number;
}

export interface Health {
  status: "ok" | "degraded";
  problems: string[];
  version: string;
  started: string;
  store: string | null;
  reads_files: boolean;
}

export interface ProblemJson {
  title: string;
  status: number;
  detail: string;
  parameter?: string;
}

export interface Alert {
  fingerprint: string;
  rule: string;
  severity: string;
  key: { dimension: string; text: string } | null;
  measure: string;
  state: string;
  began?: number;
  since?: number;
  value: number | null;
  shown?: string;
  limit: number | null;
  text: string;
}

export interface Happened extends Alert {
  at: number;
  what: string;
  is_raised: boolean;
}

export interface Rule {
  name: string;
  measure: string;
  limit: number;
  clear: number;
  is_at_least: boolean;
  window_seconds: number;
  filter: string | null;
  severity: string;
}

export interface Alerts {
  rules: Rule[];
  active: Alert[];
  events: Happened[];
}

export interface Member {
  host: string;
  program: string;
  version: string;
  state: "silent" | "problem" | "behind" | "ok";
  /** Whether somebody vouches for who says so. */
  vouched: boolean;
  last: string;
  seconds_ago: number;
  heartbeat: { lag_bytes?: number; lag_seconds?: number; lines_per_second?: number; problems?: string[] };
}

export interface Letters {
  letters: { at: string; id: string | null; index: string | null; type: string | null; reason: string | null; status: string | null }[];
  more: number;
  allowed: { replay: boolean; drop: boolean };
  last?: { what: "replay" | "drop"; started: string; state: "running" | "done" | "failed"; told: string | null } | null;
}

export interface Range {
  state: string;
  documents: number;
  first_line: number | null;
  last_line: number | null;
  start: number;
  end: number;
  type: string | null;
  reason: string | null;
}

export interface Audit {
  path: string;
  started: string;
  state: "running" | "done" | "failed";
  problem: string | null;
  result: {
    lines: number;
    documents: number;
    found: number;
    not_delivered: number;
    dead_lettered: number;
    missing: number;
    is_cut: boolean;
    ranges: Range[];
    documents_not_listed: number;
  } | null;
}

export interface Audits {
  is_possible: boolean;
  audits: Audit[];
}
