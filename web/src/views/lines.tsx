// Lines that match, the newest on top, and those that come.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { address, ask, Problem, useAsked, useSettling, type Connection } from "../api";
import { text } from "../document";
import { compact, count } from "../format";
import { Chart } from "../parts/chart";
import { Detail } from "../parts/detail";
import { itemOf, LineList, type Item } from "../parts/list";
import { Failed, Nothing, Waiting } from "../parts/states";
import { rangeOf, type Go, type Place } from "../place";
import type { Lines, NewLines, Series } from "../types";
import { layersOf } from "./overview";

const PAGE = 200;
/** So long it takes until what is read can be found, in milliseconds. */
const SETTLED = 1500;
/** So many lines are kept while new ones come, and so many that were looked back for. */
const MOST_LIVE = 5_000;
const MOST_BACK = 20_000;

interface Kept {
  items: Item[];
  next: string | null;
  total: number | null;
}

interface View {
  place: Place;
  go: Go;
  /** Where new lines are put while this is shown. */
  take: { current: ((lines: NewLines) => void) | null };
  connection: Connection;
}

export function LinesView({ place, go, take, connection }: View) {
  const range = rangeOf(place);
  const question = address("lines", range);
  const [kept, setKept] = useState<Kept>();
  const [problem, setProblem] = useState<Problem>();
  const [round, setRound] = useState(0);
  const [open, setOpen] = useState<Item | null>(null);
  const [isPaused, setPaused] = useState(false);
  const [isTop, setTop] = useState(true);
  const [missed, setMissed] = useState(0);
  // Lines that wait to be shown, and how many came at all.
  const waiting = useRef<Item[]>([]);
  const [waits, setWaits] = useState(0);
  const isLoading = useRef(false);
  useEffect(() => {
    const abort = new AbortController();
    waiting.current = [];
    setWaits(0);
    setMissed(0);
    setProblem(undefined);
    ask<Lines>("lines", { ...range, n: PAGE }, abort.signal).then(
      ({ lines, next, total }) => setKept({ items: unique(lines.map(itemOf)), next, total }),
      (found: unknown) => {
        if (found instanceof Problem) setProblem(found);
      },
    );
    return () => abort.abort();
  }, [question, round]);

  // Who has looked further back keeps that.
  useSettling(place.until, () => !open && (kept?.items.length ?? 0) <= PAGE && setRound(round + 1));

  const isHeld = isPaused || !isTop || open !== null;
  const held = useRef(isHeld);
  held.current = isHeld;
  const latest = useRef<Item[]>([]);
  latest.current = kept?.items ?? [];
  const show = useCallback((): void => {
    const fresh = waiting.current;
    waiting.current = [];
    setWaits(0);
    if (fresh.length === 0) return;
    setKept((before) => before && { ...before, items: unique([...fresh, ...before.items]).slice(0, MOST_LIVE), next: before.items.length > MOST_LIVE ? null : before.next, total: before.total === null ? null : before.total + fresh.length });
  }, []);
  take.current = ({ skipped, lines }) => {
    const fresh = lines.map((document) => itemOf({ id: null, document })).reverse();
    waiting.current = [...fresh, ...waiting.current].slice(0, MOST_LIVE);
    setWaits((before) => before + fresh.length);
    setMissed((before) => before + skipped);
    if (!isHeld && !hasSelection()) show();
  };
  useEffect(() => {
    if (!isHeld) show();
  }, [isHeld]);
  useEffect(() => () => void (take.current = null), []);

  // What came while nobody was connected is looked for once it must have been stored.
  useEffect(() => {
    if (connection !== "open") return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      ask<Lines>("lines", { ...range, n: PAGE }, abort.signal).then(
        ({ lines, total }) => {
          const found = lines.map(itemOf);
          if (held.current) {
            const known = new Set(latest.current.map((item) => item.key));
            const fresh = found.filter((item) => !known.has(item.key));
            waiting.current = unique([...waiting.current, ...fresh]).slice(0, MOST_LIVE);
            setWaits(waiting.current.length);
          } else setKept((before) => before && { ...before, items: inOrder(unique([...before.items, ...found])), total });
        },
        () => undefined,
      );
    }, SETTLED);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [connection, question]);

  const more = useCallback((): void => {
    if (!kept?.next || isLoading.current || kept.items.length >= MOST_BACK) return;
    isLoading.current = true;
    ask<Lines>("lines", { ...range, n: PAGE, after: kept.next })
      .then(({ lines, next }) => {
        setKept((before) => before && { ...before, items: unique([...before.items, ...lines.map(itemOf)]), next });
      })
      .catch(() => undefined)
      .finally(() => (isLoading.current = false));
  }, [kept, question]);

  const all = kept?.items ?? [];
  if (problem?.parameter === "filter") return <Failed problem={problem} again={() => setRound(round + 1)} />;
  return (
    <div class={`lines${open ? " with-detail" : ""}`}>
      <Histogram place={place} go={go} round={Math.floor((kept?.total ?? 0) / 2000)} />
      <div class="bar">
        <span>
          {kept ? linesOf(kept.total ?? all.length) : "…"}
          {missed > 0 && <span class="quiet"> · {compact(missed)} came too fast to be shown here, and are stored</span>}
        </span>
        <span class="fill" />
        {place.columns.map((name) => (
          <button key={name} type="button" class="chip" aria-label={`Hide the column ${name}`} onClick={() => go({ columns: place.columns.filter((one) => one !== name) })}>
            {name} ×
          </button>
        ))}
        <a class="button small" href={address("lines/download", { ...range, format: "ndjson", n: 100_000 })} download>
          NDJSON
        </a>
        <a class="button small" href={address("lines/download", { ...range, format: "csv", columns: csv(place.columns), n: 100_000 })} download>
          CSV
        </a>
        {!place.until && (
          <button type="button" class="button small" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
            {isPaused ? "Resume" : "Pause"}
          </button>
        )}
      </div>
      {!place.until && isHeld && (
        <button
          type="button"
          class="held"
          aria-live="polite"
          onClick={() => {
            setPaused(false);
            setOpen(null);
            document.querySelector(".list")?.scrollTo({ top: 0 });
            show();
          }}
        >
          Paused{waits > 0 ? `, ${count(waits)} new` : ""} <span>{waits > 0 ? "Show" : "Go on"}</span>
        </button>
      )}
      <div class="found">
        {problem ? (
          <Failed problem={problem} again={() => setRound(round + 1)} />
        ) : !kept ? (
          <Waiting rows={18} />
        ) : all.length === 0 ? (
          <Nothing title="No line matches">
            <p>{place.until ? "There is none in this time." : "New ones are shown as they come."}</p>
          </Nothing>
        ) : (
          <LineList items={all} columns={place.columns} utc={place.utc} open={open?.key ?? null} onOpen={setOpen} onTop={setTop} onEnd={more} />
        )}
        {open && (
          <Detail document={open.document} filter={place.filter} columns={place.columns} utc={place.utc} onFilter={(filter) => go({ filter })} onColumns={(columns) => go({ columns })} onClose={() => setOpen(null)} />
        )}
      </div>
    </div>
  );
}

const linesOf = (number: number): string => `${count(number)} ${number === 1 ? "line" : "lines"}`;

const csv = (columns: string[]): string =>
  columns.length > 0 ? ["@timestamp", ...columns].join(",") : "@timestamp,host.name,source.address,http.request.method,url.path,http.response.status_code,http.response.body.bytes,message";

/** Whether somebody has chosen text in the list, which new lines would take away. */
function hasSelection(): boolean {
  const selection = getSelection();
  return selection?.isCollapsed === false && document.querySelector(".list")?.contains(selection.anchorNode) === true;
}

/** Each line once. */
function unique(items: Item[]): Item[] {
  const known = new Set<string>();
  return items.filter(({ key }) => !known.has(key) && known.add(key));
}

const timeOf = (item: Item): number => new Date(text(item.document["@timestamp"])).getTime() || 0;

/** The newest first; lines of the same moment stay as they are. */
function inOrder(items: Item[]): Item[] {
  return [...items].sort((one, other) => timeOf(other) - timeOf(one));
}

function Histogram({ place, go, round }: { place: Place; go: Go; round: number }) {
  const { data, again } = useAsked<{ series: Series }>("series", rangeOf(place));
  useSettling(place.until, again);
  useEffect(() => {
    if (place.until) return undefined;
    const timer = setInterval(again, 10_000);
    return () => clearInterval(timer);
  }, [place.until, round]);
  if (!data) return <div class="histogram" />;
  const { series } = data;
  return (
    <div class="histogram">
      <Chart
        title="Lines"
        times={series.points.map((point) => point.at)}
        step={series.step}
        layers={layersOf(series.points)}
        kind="stacked"
        height={92}
        utc={place.utc}
        format={compact}
        onZoom={(from, to) => go({ since: new Date(from).toISOString(), until: new Date(to).toISOString() })}
      />
    </div>
  );
}
