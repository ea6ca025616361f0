// The heaviest values of a field: each is a filter when it is chosen.
import { visible } from "../document";
import { bytes, compact, duration, share } from "../format";
import type { Row, Top } from "../types";
import { Spark } from "./spark";

export const TITLES: Record<string, string> = {
  section: "Sections",
  path: "Paths",
  client: "Clients",
  agent: "Agents",
  referrer: "Referrers",
  status: "Statuses",
  host: "Hosts",
  source: "Files",
  dataset: "Datasets",
  level: "Levels",
};

/** What rows are ordered by, as it is shown. */
function weight(row: Row, by: string): { value: number; shown: string } {
  if (by === "bytes") return { value: row.bytes.value, shown: bytes(row.bytes.value) };
  if (by === "errors") return { value: row.errors.value, shown: compact(row.errors.value) };
  if (by === "clients") return { value: row.clients.count, shown: compact(row.clients.count) };
  if (by === "latency") return { value: row.latency?.p95 ?? 0, shown: row.latency ? duration(row.latency.p95) : "–" };
  return { value: row.hits.value, shown: compact(row.hits.value) };
}

interface List {
  top: Top;
  by: string;
  all: number;
  onChoose: (field: string, value: string, isWithout: boolean) => void;
}

export function TopList({ top, by, all, onChoose }: List) {
  const title = TITLES[top.dimension] ?? top.dimension;
  const widest = Math.max(1, ...top.rows.map((row) => weight(row, by).value));
  const rows = top.rows.filter((row) => row.key !== null);
  return (
    <section class="card top" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="quiet">{top.known_keys > rows.length && `${rows.length} of ${compact(top.known_keys)}`}</span>
      </header>
      {rows.length === 0 && <p class="nothing">No line says it.</p>}
      <ol>
        {rows.map((row, index) => {
          const text = row.key?.text ?? "";
          const { value, shown } = weight(row, by);
          const isFaulty = top.dimension !== "status" && row.errors.value * 20 > row.hits.value && row.errors.value > 0;
          return (
            <li key={row.key?.id}>
              <button
                type="button"
                class="row"
                onClick={(event) => onChoose(top.dimension, text, event.altKey || event.shiftKey)}
                title={`${visible(text)}\nOnly these lines; with shift, all others`}
              >
                <span class="bar" style={{ width: `${(value * 100) / widest}%` }} />
                <span class="name">{text === "" ? "(empty)" : visible(text)}</span>
                {isFaulty && <span class="tag bad">{share(row.errors.value, row.hits.value)} errors</span>}
                <Spark values={top.trends[index] ?? []} />
                <span class="number">{shown}</span>
                <span class="number share">{by === "hits" ? share(value, all) : ""}</span>
              </button>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
