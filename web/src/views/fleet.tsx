// Who ships and indexes, by their heartbeats, the worst first.
import { useEffect } from "preact/hooks";
import { useAsked } from "../api";
import { visible } from "../document";
import { bytes, count, digits, seconds } from "../format";
import { Failed, Nothing, Waiting } from "../parts/states";
import { partFor, type Go } from "../place";
import type { Member } from "../types";

const EVERY = 10_000;
const TONES: Record<Member["state"], string> = { silent: "bad", problem: "bad", behind: "warn", ok: "good" };

export function FleetView({ go }: { go: Go }) {
  const { data, problem, again } = useAsked<{ members: Member[]; is_all: boolean }>("fleet");
  useEffect(() => {
    const timer = setInterval(again, EVERY);
    return () => clearInterval(timer);
  }, []);
  if (!data && problem) return <Failed problem={problem} again={again} />;
  if (!data) return <Waiting />;
  if (data.members.length === 0) {
    return (
      <Nothing title="No heartbeat in the last seven days">
        <p>Shippers and indexers say every half minute how they are; here is who did where this process stores.</p>
      </Nothing>
    );
  }
  const bad = data.members.filter((member) => member.state !== "ok").length;
  return (
    <section class="card wide">
      <header>
        <h2>{bad > 0 ? `${count(bad)} of ${count(data.members.length)} need a look` : `All ${count(data.members.length)} are well`}</h2>
        {data.is_all ? null : <p class="quiet">There are more, with fewer heartbeats: too many to be shown.</p>}
      </header>
      <div class="scroll">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Host</th>
              <th scope="col">Program</th>
              <th scope="col">State</th>
              <th scope="col" class="number">Heard</th>
              <th scope="col" class="number">Waiting</th>
              <th scope="col" class="number">Lines</th>
            </tr>
          </thead>
          <tbody>
            {data.members.map(({ host, program, version, state, vouched, seconds_ago, heartbeat }) => (
              <tr key={`${host} ${program} ${vouched}`}>
                <th scope="row">
                  <button type="button" class="link" onClick={() => go({ view: "lines", filter: partFor("host.name", host) })}>
                    {visible(host)}
                  </button>
                </th>
                <td>
                  {program.replace(/^omphalos-/, "")} <span class="quiet">{version}</span>
                </td>
                <td>
                  <span class={`tag ${TONES[state]}`}>{state}</span> {vouched ? "" : <span class="quiet">unvouched</span>} {(heartbeat.problems ?? []).map(visible).join("; ").slice(0, 200)}
                </td>
                <td class="number">{seconds(seconds_ago)} ago</td>
                <td class="number">{heartbeat.lag_bytes ? `${bytes(heartbeat.lag_bytes)}, ${seconds(heartbeat.lag_seconds ?? 0)}` : "nothing"}</td>
                <td class="number">{heartbeat.lines_per_second === undefined ? "–" : `${digits(heartbeat.lines_per_second)}/s`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
