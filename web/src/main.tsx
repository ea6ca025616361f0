// The page: what stands on every view, and which view is shown.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { change, Problem, useAsked, useLive, type Connection } from "./api";
import { moment, zone } from "./format";
import { Search } from "./parts/search";
import { rangeOf, usePlace, VIEWS, write, type Go, type Place, type View } from "./place";
import type { Alerts, Health, NewLines, Overview, Sources } from "./types";
import { AlertsView } from "./views/alerts";
import { AuditView } from "./views/audit";
import { DeadLetters } from "./views/dead";
import { FleetView } from "./views/fleet";
import { LinesView } from "./views/lines";
import { OverviewView, overviewOf } from "./views/overview";
import { SourcesView } from "./views/sources";

const SINCE: [string, string][] = [
  ["5m", "5 min"],
  ["15m", "15 min"],
  ["1h", "1 h"],
  ["6h", "6 h"],
  ["24h", "24 h"],
  ["7d", "7 d"],
];
const NAMES: Record<View, string> = { overview: "Overview", lines: "Lines", alerts: "Alerts", sources: "Sources", fleet: "Fleet", audit: "Audit" };
const TOPICS: Record<View, string> = {
  overview: "overview,health,alerts",
  lines: "lines,health,alerts",
  alerts: "health,alerts",
  sources: "sources,health,alerts",
  fleet: "health,alerts",
  audit: "health,alerts",
};

interface Saved {
  name: string;
  address: string;
}

function Page() {
  const [place, go] = usePlace();
  const [theme, setTheme] = useKept("theme", "");
  const [overview, setOverview] = useState<Overview>();
  const [sources, setSources] = useState<Sources>();
  const [pushedHealth, setHealth] = useState<Health>();
  const [alerts, setAlerts] = useState<Alerts>();
  const [refusal, setRefusal] = useState<string>();
  const take = useRef<((lines: NewLines) => void) | null>(null);
  const health = useAsked<Health>("health");
  const isLive = place.until === "";
  const topics = isLive ? TOPICS[place.view] : "health,alerts";
  const range = place.view === "overview" ? overviewOf(place) : place.view === "lines" ? rangeOf(place) : {};
  const question = write({ ...place, columns: [], utc: false, compare: false });
  useEffect(() => {
    setOverview(undefined);
    setRefusal(undefined);
  }, [question]);
  // What is wrong with a filter is said by the first who asks with it.
  const checked = useAsked("lines", { ...rangeOf(place), n: 1 });
  useEffect(() => setRefusal(checked.problem?.parameter === "filter" ? checked.problem.message : undefined), [checked.problem]);
  const connection = useLive(health.data && !refusal ? { topics, ...range } : undefined, {
    overview: setOverview,
    sources: setSources,
    alerts: setAlerts,
    health: setHealth,
    lines: (lines: NewLines) => take.current?.(lines),
  });
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  if (health.problem?.status === 401) return <Token onTold={health.again} />;
  return (
    <>
      <a class="skip" href="#view">
        To the content
      </a>
      <Head place={place} go={go} raised={raisedOf(alerts)} isRefused={refusal !== undefined} theme={theme} setTheme={setTheme} health={pushedHealth ?? health.data} connection={health.problem ? "lost" : connection} />
      <section class="ask" aria-label="What is looked at">
        <Search filter={place.filter} since={place.until ? "7d" : place.since} problem={refusal} onSearch={(filter) => go(place.view === "overview" ? { filter } : { filter, view: "lines" })} />
        <Times place={place} go={go} />
      </section>
      {connection === "lost" && <Lost />}
      <main id="view" class={`view ${place.view}${connection === "lost" ? " stale" : ""}`} tabIndex={-1}>
        <h1 class="hidden">{NAMES[place.view]}</h1>
        {place.view === "overview" && <OverviewView place={place} go={go} pushed={overview} connection={connection} />}
        {place.view === "lines" && <LinesView place={place} go={go} take={take} connection={connection} />}
        {place.view === "alerts" && <AlertsView place={place} go={go} pushed={alerts} />}
        {place.view === "sources" && (
          <>
            <SourcesView go={go} pushed={sources} />
            <DeadLetters utc={place.utc} />
          </>
        )}
        {place.view === "fleet" && <FleetView go={go} />}
        {place.view === "audit" && <AuditView utc={place.utc} />}
      </main>
    </>
  );
}

function Lost() {
  const [since] = useState(() => Date.now());
  return (
    <p class="lost" role="status">
      No longer connected since {moment(since, false).slice(11, 19)}. What is shown is what was known then; trying again.
    </p>
  );
}

function raisedOf(alerts: Alerts | undefined): number {
  return (alerts?.active ?? []).filter((alert) => ["firing", "recovering", "no_data"].includes(alert.state)).length;
}

interface HeadProperties {
  raised: number;
  /** Whether what is searched for cannot be read. */
  isRefused: boolean;
  place: Place;
  go: Go;
  theme: string;
  setTheme: (theme: string) => void;
  health: Health | undefined;
  connection: Connection;
}

function Head({ raised, isRefused, place, go, theme, setTheme, health, connection }: HeadProperties) {
  const problems = health?.problems ?? [];
  // Where there is no room for all of them, the one that is shown is seen.
  useEffect(() => document.querySelector(".mast nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [place.view]);
  const state = connection === "lost" ? "lost" : problems.length > 0 ? "degraded" : place.until ? "still" : connection === "open" ? "live" : "still";
  const shown = { lost: "not connected", degraded: "degraded", live: "live", still: place.until ? "a moment in the past" : isRefused ? "waiting for a search" : "connecting" }[state];
  return (
    <header class="mast">
      <a class="brand" href="/" onClick={(event) => follow(event, () => go({ view: "overview", filter: "", since: "15m", until: "" }))}>
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <circle cx="16" cy="16" r="12" />
          <circle cx="16" cy="16" r="4.5" />
        </svg>
        Omphalos
      </a>
      <nav aria-label="Views">
        {VIEWS.map((view) => (
          <a key={view} href={write({ ...place, view })} aria-current={view === place.view ? "page" : undefined} onClick={(event) => follow(event, () => go({ view }))}>
            {NAMES[view]}
            {view === "alerts" && raised > 0 && <span class="badge">{raised}</span>}
          </a>
        ))}
      </nav>
      <span class="fill" />
      <span class={`pulse ${state}`} role="status" title={problems.join("\n")}>
        {shown}
      </span>
      <SavedViews go={go} />
      <button type="button" class="icon" aria-label={`Times in ${zone(place.utc)}; switch to ${place.utc ? "local time" : "UTC"}`} onClick={() => go({ utc: !place.utc })}>
        {zone(place.utc)}
      </button>
      <button
        type="button"
        class="icon"
        aria-label={`Colours: ${theme || "as the system"}`}
        title={`Colours: ${theme || "as the system"}`}
        onClick={() => setTheme({ "": "dark", dark: "light", light: "" }[theme] ?? "")}
      >
        <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
          <circle cx="10" cy="10" r="6" />
          <path class="half" d="M10 4a6 6 0 0 1 0 12z" />
        </svg>
      </button>
    </header>
  );
}

/** A link that a plain click follows here, and any other where the browser wants. */
function follow(event: MouseEvent, then: () => void): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  then();
}

function Times({ place, go }: { place: Place; go: Go }) {
  const isAgo = place.until === "" && SINCE.some(([since]) => since === place.since);
  return (
    <div class="times">
      <div class="switch" role="group" aria-label="How far back">
        {SINCE.map(([since, shown]) => (
          <button key={since} type="button" aria-pressed={isAgo && since === place.since} onClick={() => go({ since, until: "" })}>
            {shown}
          </button>
        ))}
      </div>
      {!isAgo && (
        <button type="button" class="chip" aria-label="Back to now" onClick={() => go({ since: "15m", until: "" })}>
          {shownTime(place.since, place.utc)} – {place.until ? shownTime(place.until, place.utc) : "now"} ×
        </button>
      )}
      {place.view === "overview" && (
        <button type="button" class="chip" aria-pressed={place.compare} onClick={() => go({ compare: !place.compare })}>
          Compare
        </button>
      )}
    </div>
  );
}

function shownTime(text: string, utc: boolean): string {
  return /^\d{4}-/.test(text) ? moment(text, utc).slice(5, 19) : text;
}

function SavedViews({ go }: { go: Go }) {
  const [text, setText] = useKept("views", "[]");
  const [isOpen, setOpen] = useState(false);
  let saved: Saved[] = [];
  try {
    saved = JSON.parse(text) as Saved[];
  } catch {
    // What somebody else wrote there is no view of ours.
  }
  const keep = (views: Saved[]): void => setText(JSON.stringify(views.slice(0, 50)));
  return (
    <div
      class="saved"
      onKeyDown={(event) => event.key === "Escape" && setOpen(false)}
      onFocusOut={(event) => {
        // Who goes on elsewhere is done here; a click on what takes no focus goes nowhere.
        if (event.relatedTarget instanceof Node && !event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <button type="button" class="icon" aria-label="Saved views" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
          <path d="M6 3.5h8v13l-4-3.2-4 3.2z" />
        </svg>
      </button>
      {isOpen && (
        <div class="menu">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              const name = new FormData(event.currentTarget).get("name");
              if (typeof name !== "string" || !name.trim()) return;
              keep([...saved.filter((view) => view.name !== name), { name: name.trim(), address: location.search }]);
              event.currentTarget.reset();
            }}
          >
            <input name="name" placeholder="Name for this view" aria-label="Name for this view" maxLength={60} />
            <button type="submit" class="button small">
              Save
            </button>
          </form>
          {saved.length === 0 && <p class="quiet">No view is saved in this browser.</p>}
          <ul>
            {saved.map((view) => (
              <li key={view.name}>
                <a
                  href={view.address || "/"}
                  onClick={(event) =>
                    follow(event, () => {
                      history.pushState(null, "", view.address || location.pathname);
                      dispatchEvent(new PopStateEvent("popstate"));
                      setOpen(false);
                    })
                  }
                >
                  {view.name}
                </a>
                <button type="button" class="icon" aria-label={`Forget ${view.name}`} onClick={() => keep(saved.filter((one) => one !== view))}>
                  ×
                </button>
              </li>
            ))}
          </ul>
          <button type="button" class="link" onClick={() => go({ columns: [], by: "hits", compare: false })}>
            Columns and order as usual
          </button>
        </div>
      )}
    </div>
  );
}

/** Where a token is asked for. */
function Token({ onTold }: { onTold: () => void }) {
  const [problem, setProblem] = useState("");
  return (
    <main class="token">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          const token = new FormData(event.currentTarget).get("token");
          change("session", { token }).then(onTold, (found: unknown) => {
            setProblem(found instanceof Problem && found.status === 401 ? "This is not the token." : "There is no answer.");
          });
        }}
      >
        <h1>Omphalos</h1>
        <label>
          Token of page.token_file
          <input type="password" name="token" autocomplete="current-password" required />
        </label>
        {problem && <p role="alert">{problem}</p>}
        <button type="submit" class="button">
          Open
        </button>
      </form>
    </main>
  );
}

/** Something that this browser keeps; where it may not, it is kept until the page is closed. */
function useKept(name: string, usual: string): [string, (value: string) => void] {
  const [value, setValue] = useState(() => {
    try {
      return localStorage.getItem(`omphalos.${name}`) ?? usual;
    } catch {
      return usual;
    }
  });
  const keep = (value: string): void => {
    setValue(value);
    try {
      localStorage.setItem(`omphalos.${name}`, value);
    } catch {
      // It is kept in memory.
    }
  };
  return [value, keep];
}

const root = document.getElementById("page");
if (root) render(<Page />, root);
