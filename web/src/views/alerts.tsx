// What is raised, and what was, on a line of time.
import { scaleTime } from "d3-scale";
import { useAsked } from "../api";
import { visible } from "../document";
import { bytes, clock, count, digits, duration, moment, seconds } from "../format";
import { useWidth } from "../parts/chart";
import { Failed, Nothing, Waiting } from "../parts/states";
import { partFor, rangeOf, withPart, type Go, type Place } from "../place";
import type { Alert, Alerts, Happened, Rule } from "../types";

const ROW = 30;
const LEFT = 190;

interface View {
  place: Place;
  go: Go;
  pushed: Alerts | undefined;
}

export function AlertsView({ place, go, pushed }: View) {
  const { since, until } = rangeOf(place);
  const asked = useAsked<Alerts>("alerts", { since, until });
  if (!asked.data && asked.problem) return <Failed problem={asked.problem} again={asked.again} />;
  if (!asked.data) return <Waiting />;
  const active = pushed?.active ?? asked.data.active;
  const rules = asked.data.rules;
  const events = joined(pushed?.events ?? [], asked.data.events, place);
  if (rules.length === 0 && events.length === 0) {
    return (
      <Nothing title="No rule, and no alert in this time">
        <p>
          Rules are [[alert]] tables of the configuration: this process judges them and shows here what they raise. What
          omphalos watch raises and stores is shown as well.
        </p>
      </Nothing>
    );
  }
  const raised = active.filter((alert) => ["firing", "recovering", "no_data"].includes(alert.state));
  return (
    <>
      <section class="card wide" aria-label="Raised now">
        <header>
          <h2>{raised.length > 0 ? `${count(raised.length)} raised now` : "Nothing is raised"}</h2>
          <span class="quiet">{rules.length > 0 ? `${count(rules.length)} ${rules.length === 1 ? "rule" : "rules"} here` : "no rules in this process"}</span>
        </header>
        {active.length > 0 && (
          <ul class="raised">
            {active.map((alert) => (
              <One key={alert.fingerprint} alert={alert} place={place} go={go} rules={rules} />
            ))}
          </ul>
        )}
      </section>
      {events.length > 0 && (
        <section class="card wide">
          <header>
            <h2>On the line of time</h2>
          </header>
          <Lanes events={events} active={active} place={place} />
        </section>
      )}
      <section class="card wide">
        <header>
          <h2>What happened</h2>
        </header>
        {events.length === 0 && <p class="nothing">Nothing was raised or cleared in this time.</p>}
        <div class="scroll">
          <table class="table">
            {events.length > 0 && (
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">What</th>
                  <th scope="col">Rule</th>
                  <th scope="col" class="number">Value</th>
                  <th scope="col" class="number">Limit</th>
                  <th scope="col">What it says</th>
                </tr>
              </thead>
            )}
            <tbody>
              {events.map((event) => (
                <tr key={`${event.fingerprint}${event.at}${event.what}`}>
                  <td class="time">{moment(event.at, place.utc).slice(5, 19)}</td>
                  <td class="time">
                    <span class={`tag ${event.is_raised ? "bad" : "good"}`} title={event.what}>
                      {event.what.split(":")[0]}
                    </span>
                  </td>
                  <td>{visible(event.rule)}</td>
                  <td class="number">{valueOf(event.measure, event.value)}</td>
                  <td class="number">{valueOf(event.measure, event.limit)}</td>
                  <td class="reason">{visible(event.text)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}

/** What was pushed and what was asked for, each once, the newest first. */
function joined(pushed: Happened[], asked: Happened[], place: Place): Happened[] {
  const known = new Set<string>();
  const all = [...(place.until ? [] : pushed), ...asked];
  const once = all.filter((event) => {
    const key = `${event.fingerprint} ${event.at} ${event.is_raised}`;
    return !known.has(key) && known.add(key);
  });
  return once.sort((one, other) => other.at - one.at).slice(0, 500);
}

function One({ alert, place, go, rules }: { alert: Alert; place: Place; go: Go; rules: Rule[] }) {
  const rule = rules.find((rule) => rule.name === alert.rule);
  const parts = [rule?.filter ?? "", alert.key ? partFor(alert.key.dimension, alert.key.text) : ""].filter(Boolean);
  const filter = parts.reduce((filter, part) => withPart(filter, part), "");
  const isRaised = alert.state !== "pending";
  return (
    <li>
      <span class={`tag ${isRaised ? "bad" : "warn"}`}>{alert.state === "firing" ? "raised" : alert.state.replace("_", " ")}</span>
      <span class="text">{visible(alert.text)}</span>
      <span class="quiet">
        {alert.severity}
        {alert.since !== undefined && ` · since ${moment(alert.since, place.utc).slice(11, 19)}`}
        {rule && ` · over ${seconds(rule.window_seconds)}`}
      </span>
      <button type="button" class="link" onClick={() => go({ view: "lines", filter })}>
        Its lines
      </button>
    </li>
  );
}

/** A value as its measure counts it. */
function valueOf(measure: string, value: number | null): string {
  if (value === null || Number.isNaN(value)) return "–";
  if (measure.startsWith("latency")) return duration(value * 1e9);
  if (measure === "silence") return seconds(value);
  if (measure === "bytes") return bytes(value);
  if (measure === "error_share" || measure === "change") return `${digits(value)} %`;
  return measure === "rate" ? `${digits(value)}/s` : count(value);
}

interface Span {
  from: number;
  to: number;
  isOpen: boolean;
  /** The event that raised it. */
  raised: Happened | null;
}

/** When each alert was raised, by its events; one that is cleared first was raised before. */
export function spans(events: Happened[], since: number, until: number): Span[] {
  const found: Span[] = [];
  let from: number | null = null;
  let raised: Happened | null = null;
  const inOrder = [...events].sort((one, other) => one.at - other.at);
  if (inOrder[0] && !inOrder[0].is_raised) from = since;
  for (const event of inOrder) {
    if (event.is_raised) {
      from ??= event.at;
      raised ??= event;
    } else if (from !== null) {
      found.push({ from, to: event.at, isOpen: false, raised });
      from = raised = null;
    }
  }
  if (from !== null) found.push({ from, to: until, isOpen: true, raised });
  return found;
}

function Lanes({ events, active, place }: { events: Happened[]; active: Alert[]; place: Place }) {
  const [box, width] = useWidth();
  const until = place.until ? new Date(place.until).getTime() : Date.now();
  const since = Math.min(sinceOf(place.since, until), ...events.map((event) => event.at));
  const lanes = new Map<string, Happened[]>();
  for (const event of events) {
    const key = event.key ? `${event.rule}: ${event.key.text}` : event.rule;
    lanes.set(key, [...(lanes.get(key) ?? []), event]);
  }
  const shown = [...lanes].slice(0, 20);
  const left = width < 600 ? 110 : LEFT;
  const x = scaleTime([since, until], [left, Math.max(width - 4, left + 1)]);
  const height = shown.length * ROW + 24;
  return (
    <div ref={box}>
      {width > 0 && (
        <svg class="lanes" width={width} height={height} role="img" aria-label={`${events.length} events of ${active.length} alerts that are not ok; the table below has them`}>
          {shown.map(([name, of], lane) => (
            <g key={name} transform={`translate(0,${lane * ROW})`}>
              <text x={0} y={ROW / 2} dy="0.32em">
                {visible(name).slice(0, left / 7)}
              </text>
              <line x1={left} x2={width} y1={ROW / 2} y2={ROW / 2} />
              {spans(of, since, until).map((span) => (
                <rect key={span.from} class={span.isOpen ? "open" : ""} x={x(span.from)} width={Math.max(x(span.to) - x(span.from), 3)} y={7} height={ROW - 14} rx={3}>
                  <title>{titleOf(span, place.utc)}</title>
                </rect>
              ))}
            </g>
          ))}
          {x.ticks(Math.max(2, Math.floor((width - left) / 110))).filter((tick) => x(tick) < width - 18).map((tick) => (
            <text key={tick.getTime()} class="tick" x={x(tick)} y={height - 5} text-anchor="middle">
              {clock(tick.getTime(), place.utc, until - since)}
            </text>
          ))}
        </svg>
      )}
    </div>
  );
}

function titleOf({ from, to, isOpen, raised }: Span, utc: boolean): string {
  const when = `${moment(from, utc).slice(5, 19)} to ${isOpen ? "now" : moment(to, utc).slice(5, 19)}`;
  return raised ? `${visible(raised.text)}\n${when}` : when;
}

/** When a length of time ago was, or a time. */
function sinceOf(since: string, until: number): number {
  const found = /^(\d+)([smhd])$/.exec(since);
  const units: Record<string, number> = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };
  if (found) return until - Number(found[1]) * (units[found[2] ?? ""] ?? 0);
  const at = new Date(since).getTime();
  return Number.isNaN(at) ? until - 9e5 : at;
}
