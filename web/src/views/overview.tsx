// What there is, without a query: how much, how well, and of what.
import { useEffect, useState } from "preact/hooks";
import { useAsked, useSettling, type Connection } from "../api";
import { bytes, compact, digits, duration, share } from "../format";
import { Chart, type Layer } from "../parts/chart";
import { Spark } from "../parts/spark";
import { Failed, Nothing, Waiting } from "../parts/states";
import { TopList } from "../parts/top";
import { partFor, rangeOf, withPart, type Go, type Place } from "../place";
import type { Classes, Overview, Point, Summary } from "../types";

const DIMENSIONS = "section,path,client,status,agent,referrer";

const CLASSES: [keyof Classes, string, string][] = [
  ["success", "2xx", "ok"],
  ["redirection", "3xx", "moved"],
  ["client_error", "4xx", "refused"],
  ["server_error", "5xx", "bad"],
  ["informational", "1xx", "moved"],
  ["none", "without", "none"],
];

/** What is asked, and shown until the stream says something newer. */
export function useOverview(place: Place, pushed: Overview | undefined) {
  const asked = useAsked<Overview>("overview", overviewOf(place));
  const [newest, setNewest] = useState<Overview>();
  useSettling(place.until, asked.again);
  useEffect(() => setNewest(asked.data), [asked.data]);
  useEffect(() => setNewest(pushed), [pushed]);
  return { ...asked, data: newest ?? asked.data };
}

export function overviewOf(place: Place) {
  return { ...rangeOf(place), top: DIMENSIONS, by: place.by, n: 8 };
}

interface View {
  place: Place;
  go: Go;
  pushed: Overview | undefined;
  connection: Connection;
}

export function OverviewView({ place, go, pushed }: View) {
  const { data, problem, again } = useOverview(place, pushed);
  const before = useBefore(place, data);
  const [unit, setUnit] = useState<"hits" | "bytes">("hits");
  if (!data && problem) return <Failed problem={problem} again={again} />;
  if (!data) return <Waiting rows={12} />;
  const { summary, series } = data;
  if (summary.hits === 0) return <Empty place={place} go={go} />;
  const points = series.points;
  const zoom = (from: number, to: number): void => {
    go({ since: new Date(from).toISOString(), until: new Date(to).toISOString() });
  };
  const choose = (field: string, value: string, isWithout: boolean): void => {
    go({ filter: withPart(place.filter, partFor(field, value), isWithout) });
  };
  const times = points.map((point) => point.at);
  const common = { times, step: series.step, utc: place.utc, onZoom: zoom };
  return (
    <>
      <Tiles summary={summary} points={points} before={before} />
      {data.origin === "live" && summary.late > 0 && (
        <p class="quiet">{digits(summary.late)} lines since the start came too late to be counted here: they were more than 10 s older than the newest.</p>
      )}
      <section class="card wide">
        <div class="switch" role="group" aria-label="What is drawn">
          {(["hits", "bytes"] as const).map((name) => (
            <button key={name} type="button" aria-pressed={unit === name} onClick={() => setUnit(name)}>
              {name === "hits" ? "Requests" : "Traffic"}
            </button>
          ))}
        </div>
        {unit === "hits" ? (
          <Chart title="Requests" layers={layersOf(points)} kind="stacked" format={compact} {...common} />
        ) : (
          <Chart
            title="Traffic"
            layers={[{ name: "bytes", tone: "accent", values: points.map((point) => point.bytes.value) }]}
            kind="stacked"
            format={bytes}
            {...common}
          />
        )}
      </section>
      <div class="pair">
        <section class="card">
          <Chart
            title="Error share"
            layers={[{ name: "5xx", tone: "bad", values: points.map((point) => (point.hits.value ? (point.errors.value * 100) / point.hits.value : 0)) }]}
            kind="lines"
            height={130}
            format={(value) => `${digits(value)} %`}
            {...common}
          />
        </section>
        {summary.latency ? (
          <section class="card">
            <Chart title="Latency" layers={latencies(points)} kind="lines" height={130} format={duration} {...common} />
          </section>
        ) : (
          <section class="card">
            <Chart
              title="Clients"
              layers={[{ name: "different clients", tone: "accent", values: points.map((point) => point.clients.count) }]}
              kind="lines"
              height={130}
              format={compact}
              {...common}
            />
          </section>
        )}
      </div>
      <Order by={place.by} hasLatency={summary.latency !== null} onChange={(by) => go({ by })} />
      <div class="tops">
        {data.tops.map((top) => (
          <TopList key={top.dimension} top={top} by={place.by} all={summary.hits} onChoose={choose} />
        ))}
      </div>
    </>
  );
}

function Order({ by, hasLatency, onChange }: { by: string; hasLatency: boolean; onChange: (by: string) => void }) {
  const orders = ["hits", "bytes", "errors", "clients", ...(hasLatency ? ["latency"] : [])];
  return (
    <div class="order" role="group" aria-label="What is most of it">
      <span class="quiet">Most</span>
      {orders.map((name) => (
        <button key={name} type="button" class="chip" aria-pressed={by === name} onClick={() => onChange(name)}>
          {name === "hits" ? "requests" : name}
        </button>
      ))}
    </div>
  );
}

export function layersOf(points: Point[]): Layer[] {
  const layers = CLASSES.map(([name, shown, tone]) => ({ name: shown, tone, values: points.map((point) => point.classes[name]) }));
  const there = layers.filter((layer) => layer.values.some((value) => value > 0));
  return there.length > 0 ? there : layers.slice(0, 1);
}

function latencies(points: Point[]): Layer[] {
  const of = (name: "p50" | "p95" | "p99"): number[] => points.map((point) => point.latency?.[name] ?? NaN);
  return [
    { name: "p50", tone: "accent", values: of("p50") },
    { name: "p95", tone: "refused", values: of("p95") },
    { name: "p99", tone: "bad", values: of("p99") },
  ];
}

/** The figures of the window before, where they are to be compared. */
function useBefore(place: Place, data: Overview | undefined): Summary | undefined {
  const since = data && new Date(data.since).getTime();
  const length = data && since !== undefined ? new Date(data.until).getTime() - since : 0;
  // Once a minute is often enough for what is over.
  const end = since !== undefined ? Math.floor(since / 60_000) * 60_000 : 0;
  const parameters = {
    since: new Date(end - length).toISOString(),
    until: new Date(end).toISOString(),
    filter: place.filter,
  };
  const isWanted = place.compare && length > 0;
  return useAsked<{ summary: Summary }>(isWanted ? "summary" : undefined, isWanted ? parameters : {}).data?.summary;
}

function Tiles({ summary, points, before }: { summary: Summary; points: Point[]; before: Summary | undefined }) {
  const complete = points.filter((point) => !point.is_open);
  const of = (value: (point: Point) => number): number[] => complete.map(value);
  const errors = (one: Summary): number => (one.hits ? one.errors / one.hits : 0);
  return (
    <div class="tiles">
      <Tile name="Requests" value={compact(summary.hits)} beside={`${digits(summary.now.hits)} a second now`} course={of((point) => point.hits.value)} change={change(summary.hits, before?.hits)} />
      <Tile name="Traffic" value={bytes(summary.bytes)} beside={`${bytes(summary.now.bytes)} a second now`} course={of((point) => point.bytes.value)} change={change(summary.bytes, before?.bytes)} />
      <Tile name="Errors" tone={errors(summary) >= 0.05 ? "bad" : ""} value={share(summary.errors, summary.hits)} beside={`${compact(summary.errors)} with a status of 5xx`} course={of((point) => point.errors.value)} change={change(errors(summary), before && errors(before))} />
      <Tile name="Clients" value={`${summary.clients.error > 0 ? "≈ " : ""}${compact(summary.clients.count)}`} beside="different addresses" course={of((point) => point.clients.count)} change={change(summary.clients.count, before?.clients.count)} />
      {summary.latency && (
        <Tile name="Latency" value={duration(summary.latency.p95)} beside={`p95; half within ${duration(summary.latency.p50)}`} course={of((point) => point.latency?.p95 ?? 0)} change={change(summary.latency.p95, before?.latency?.p95)} />
      )}
    </div>
  );
}

function change(now: number, before: number | undefined): string | undefined {
  if (before === undefined) return undefined;
  if (before === 0) return now === 0 ? "as before" : "none before";
  const percent = ((now - before) * 100) / before;
  if (Math.abs(percent) < 0.5) return "as before";
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0)} % than before`;
}

interface Tile {
  name: string;
  value: string;
  beside: string;
  course: number[];
  change: string | undefined;
  tone?: string;
}

function Tile({ name, value, beside, course, change, tone = "" }: Tile) {
  return (
    <div class={`card tile ${tone}`}>
      <h2>{name}</h2>
      <p class="value">{value}</p>
      <p class="quiet">{change ?? beside}</p>
      <Spark values={course} width={120} height={30} />
    </div>
  );
}

function Empty({ place, go }: { place: Place; go: Go }) {
  return (
    <Nothing title={place.filter ? "No line matches" : "No line in this time"}>
      <p>{place.filter ? "Nothing in this time is what the filter means." : "Nothing was written, or nothing has been read yet."}</p>
      <p class="row">
        {place.filter && (
          <button type="button" class="button" onClick={() => go({ filter: "" })}>
            Without the filter
          </button>
        )}
        <button type="button" class="button" onClick={() => go({ since: "24h", until: "" })}>
          The last 24 hours
        </button>
        <button type="button" class="button" onClick={() => go({ since: "1970-01-01", until: "" })}>
          All there is
        </button>
      </p>
    </Nothing>
  );
}
