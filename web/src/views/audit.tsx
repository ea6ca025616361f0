// Whether every line of a file is stored: an audit computes the ids of its lines and looks for each.
import { useEffect, useState } from "preact/hooks";
import { change, Problem, useAsked } from "../api";
import { visible } from "../document";
import { bytes, count, moment } from "../format";
import { Failed, Nothing, Waiting } from "../parts/states";
import type { Audit, Audits, Range, Sources } from "../types";

const EVERY = 1000;

export function AuditView({ utc }: { utc: boolean }) {
  const { data, problem, again } = useAsked<Audits>("audits");
  const sources = useAsked<Sources>("sources").data?.sources ?? [];
  const [refusal, setRefusal] = useState("");
  const isRunning = data?.audits.some((audit) => audit.state === "running") ?? false;
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(again, EVERY);
    return () => clearInterval(timer);
  }, [isRunning]);
  if (!data && problem) return <Failed problem={problem} again={again} />;
  if (!data) return <Waiting />;
  if (!data.is_possible) {
    return (
      <Nothing title="Nothing to audit here">
        <p>This process does not both read files and store their lines. On the host that reads them: omphalos audit FILE.</p>
      </Nothing>
    );
  }
  const begin = (path: string): void => {
    setRefusal("");
    change("audits", { path }).then(again, (found: unknown) => setRefusal(found instanceof Problem ? found.message : String(found)));
  };
  return (
    <>
      <section class="card wide">
        <header>
          <h2>Is every line stored?</h2>
          <span class="quiet">The id of each line is computed once more from the file, and looked for</span>
        </header>
        {refusal && <p role="alert">{refusal}</p>}
        <div class="scroll">
          <table class="table">
            <tbody>
              {sources.map(({ path }) => (
                <tr key={path}>
                  <th scope="row">{visible(path)}</th>
                  <td class="number">
                    <button type="button" class="button small" disabled={isRunning} onClick={() => begin(path)}>
                      Audit
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {sources.length === 0 && <p class="nothing">No file has been read yet.</p>}
      </section>
      {data.audits.map((audit) => (
        <One key={audit.started} audit={audit} utc={utc} />
      ))}
    </>
  );
}

function One({ audit, utc }: { audit: Audit; utc: boolean }) {
  const { path, started, state, result, problem } = audit;
  return (
    <section class="card wide">
      <header>
        <h2>{visible(path)}</h2>
        <span class="quiet">{moment(started, utc).slice(0, 19)}</span>
      </header>
      {state === "running" && <Waiting rows={3} />}
      {problem && <p role="alert">{visible(problem)}</p>}
      {result && (
        <>
          <dl class="sums">
            <Sum name="lines" value={result.lines} />
            <Sum name="found" value={result.found} />
            <Sum name="not delivered yet" value={result.not_delivered} />
            <Sum name="dead letters" value={result.dead_lettered} isBad />
            <Sum name="missing" value={result.missing} isBad />
          </dl>
          {result.missing + result.dead_lettered === 0 ? (
            <p>
              <span class="tag good">all there</span> {result.not_delivered > 0 && "What is not delivered yet was read, and is on its way."}
            </p>
          ) : (
            <p>
              <span class="tag bad">not all there</span> omphalos audit --repair ships what is missing.
            </p>
          )}
          {result.ranges.length > 0 && <Ranges ranges={result.ranges} />}
        </>
      )}
    </section>
  );
}

function Sum({ name, value, isBad = false }: { name: string; value: number; isBad?: boolean }) {
  return (
    <div class={isBad && value > 0 ? "bad" : ""}>
      <dt>{name}</dt>
      <dd>{count(value)}</dd>
    </div>
  );
}

function Ranges({ ranges }: { ranges: Range[] }) {
  return (
    <div class="scroll">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Lines
            </th>
            <th scope="col" class="number">
              Documents
            </th>
            <th scope="col" class="number">
              Bytes
            </th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {ranges.slice(0, 200).map((range) => (
            <tr key={range.start}>
              <td>{range.state.replaceAll("_", " ")}</td>
              <td class="number">{range.first_line === null ? "–" : `${count(range.first_line)}–${count(range.last_line ?? range.first_line)}`}</td>
              <td class="number">{count(range.documents)}</td>
              <td class="number">{`${count(range.start)}, ${bytes(range.end - range.start)}`}</td>
              <td>{visible([range.type, range.reason].filter(Boolean).join(": ").slice(0, 300))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
