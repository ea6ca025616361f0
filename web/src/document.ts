// What a document says, for who looks at it.
import { bytes } from "./format";
import type { Document, Json } from "./types";

/** A value by its name with dots. */
export function field(document: Document, name: string): Json | undefined {
  // What every object has is no field.
  if (Object.hasOwn(document, name)) return document[name];
  let value: Json | undefined = document;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

export function text(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Characters that nobody sees, or that turn others around, are shown as what they are; what joins two emoji is left. */
export function visible(value: string): string {
  return value.replace(CONTROLS, (character) => {
    const code = character.charCodeAt(0);
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return code === 127 ? "\u2421" : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** All fields with their values, each by its whole name. */
export function flat(document: Document): [string, string][] {
  const found: [string, string][] = [];
  const add = (name: string, value: Json): void => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [below, inner] of Object.entries(value)) add(name ? `${name}.${below}` : below, inner);
    } else found.push([name, text(value)]);
  };
  add("", document);
  return found;
}

export interface Told {
  time: string;
  tone: string;
  head: string;
  body: string;
  beside: string;
}

function toneOf(status: string, level: string): string {
  if (status) return { "2": "ok", "3": "moved", "4": "refused", "5": "bad" }[status[0] ?? ""] ?? "";
  if (/^(err|crit|fatal|alert|emerg|panic)/i.test(level)) return "bad";
  return /^warn/i.test(level) ? "refused" : "";
}

/** What every document has, whatever its line says. */
const ENVELOPE = /^(@timestamp$|event\.dataset$|ecs\.|host\.|log\.(file\.|offset$|level$)|data_stream\.)/;

/** The fields of a line that has no message. */
function own(document: Document): string {
  const fields = flat(document).filter(([name]) => !ENVELOPE.test(name));
  const said = fields.map(([name, value]) => `${name}=${value}`).join(" ");
  return visible((said || JSON.stringify(document)).slice(0, 2000));
}

/** What a row shows of a line. */
export function told(document: Document): Told {
  const get = (name: string): string => visible(text(field(document, name)).slice(0, 2000));
  const status = get("http.response.status_code");
  const level = get("log.level");
  const method = get("http.request.method");
  const time = text(field(document, "@timestamp"));
  if (status || method) {
    const path = get("url.original") || get("url.path");
    const query = get("url.query");
    const size = field(document, "http.response.body.bytes");
    const target = query && !path.includes("?") ? `${path}?${query}` : path;
    const client = get("source.address") || get("source.ip");
    const beside = [client, typeof size === "number" ? bytes(size) : "", get("user_agent.original")];
    const message = get("message");
    const body = [method, target, message && `· ${message}`].filter(Boolean).join(" ");
    return { time, tone: toneOf(status, ""), head: status || "–", body, beside: beside.filter(Boolean).join("   ") };
  }
  const message = get("message") || get("event.original");
  const rest = message || own(document);
  return { time, tone: toneOf("", level), head: level.slice(0, 8), body: rest, beside: get("host.name") };
}

/** What tells a line from all others. */
export function identity(document: Document, id: string | null): string {
  const path = text(field(document, "log.file.path"));
  const offset = text(field(document, "log.offset"));
  return offset ? `${text(field(document, "host.name"))}:${path}:${offset}` : (id ?? JSON.stringify(document));
}
