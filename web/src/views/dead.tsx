// Documents that were refused for good, and why.
import { useAsked } from "../api";
import { visible } from "../document";
import { count, moment } from "../format";
import type { Letters } from "../types";

export function DeadLetters({ utc }: { utc: boolean }) {
  const { data, problem } = useAsked<Letters>("dead", { n: 50 });
  if (problem) return <p class="nothing">Dead letters cannot be read: {problem.message}</p>;
  if (!data) return null;
  const all = data.letters.length + data.more;
  return (
    <section class="card wide">
      <header>
        <h2>{all === 0 ? "No dead letters" : `${count(all)} dead letters`}</h2>
        <span class="quiet">{all === 0 ? "every document was taken" : "omphalos dead replay indexes them again, after the cause is fixed"}</span>
      </header>
      {all > 0 && (
        <div class="scroll">
          <table class="table">
            <tbody>
              {data.letters.map((letter) => (
                <tr key={`${letter.id}${letter.at}`}>
                  <td class="time">{moment(letter.at, utc).slice(5, 19)}</td>
                  <td>{letter.index ?? "–"}</td>
                  <td>
                    <b>{letter.type ?? "unreadable"}</b> {visible((letter.reason ?? "").slice(0, 300))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
