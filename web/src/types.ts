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
