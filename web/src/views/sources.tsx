// The files that this process reads, and how far behind it is.
import { visible } from "../document";
import { bytes, count, seconds, share } from "../format";
import { Failed, Nothing, Waiting } from "../parts/states";
import { useAsked } from "../api";
import { partFor, type Go } from "../place";
import type { Sources } from "../types";

export function SourcesView({ go, pushed }: { go: Go; pushed: Sources | undefined }) {
  const asked = useAsked<Sources>("sources");
  const data = pushed ?? asked.data;
  if (!data && asked.problem) return <Failed problem={asked.problem} again={asked.again} />;
  if (!data) return <Waiting />;
  if (data.sources.length === 0) {
    return (
      <Nothing title="This process reads no file">
        <p>Its lines come from a broker or as datagrams, or it only serves what is stored.</p>
      </Nothing>
    );
  }
  return (
    <section class="card wide">
      <header>
        <h2>Files that this process reads</h2>
        {data.unreadable > 0 && <span class="tag bad">{count(data.unreadable)} cannot be read</span>}
      </header>
      <div class="scroll">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col">Dataset</th>
              <th scope="col" class="number">Lines</th>
              <th scope="col" class="number">Not understood</th>
              <th scope="col" class="number">Waiting</th>
              <th scope="col" class="number">Last line</th>
            </tr>
          </thead>
          <tbody>
            {data.sources.map((source) => (
              <tr key={source.path}>
                <th scope="row">
                  <button type="button" class="link" onClick={() => go({ view: "lines", filter: partFor("log.file.path", source.path) })}>
                    {visible(source.path)}
                  </button>
                </th>
                <td>{source.dataset ?? "–"}</td>
                <td class="number">{count(source.lines)}</td>
                <td class={`number${source.failures * 20 > source.lines ? " bad" : ""}`}>
                  {source.failures ? `${count(source.failures)} (${share(source.failures, source.lines)})` : "0"}
                </td>
                <td class={`number${(source.lag_seconds ?? 0) > 60 ? " refused" : ""}`}>
                  {source.lag_bytes === null ? "–" : source.lag_bytes === 0 ? "nothing" : `${bytes(source.lag_bytes)}, ${seconds(source.lag_seconds ?? 0)}`}
                </td>
                <td class="number">{source.silent_seconds == null ? "–" : `${seconds(source.silent_seconds)} ago`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
