// Documents that were refused for good, and why; where the process allows it, they are replayed and dropped here.
import { useEffect, useRef, useState } from "preact/hooks";
import { change, Problem, useAsked, type Parameters } from "../api";
import { visible } from "../document";
import { count, moment } from "../format";
import type { Letters } from "../types";

const EVERY = 1000;

/** What is to be dropped, and how that is asked. */
interface Wanted {
  which: Parameters;
  question: string;
}

export function DeadLetters({ utc }: { utc: boolean }) {
  const { data, problem, again } = useAsked<Letters>("dead", { n: 50 });
  const [refusal, setRefusal] = useState("");
  const [wanted, setWanted] = useState<Wanted>();
  const isRunning = data?.last?.state === "running";
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(again, EVERY);
    return () => clearInterval(timer);
  }, [isRunning]);
  if (problem) return <p class="nothing">Dead letters cannot be read: {problem.message}</p>;
  if (!data) return null;
  const { letters, more, allowed, last } = data;
  const all = letters.length + more;
  const act = (method: "POST" | "DELETE", path: string, which: Parameters): void => {
    setRefusal("");
    change(path, undefined, method, which).then(again, (found: unknown) => {
      setRefusal(found instanceof Problem ? found.message : String(found));
      again();
    });
  };
  const actions = (which: Parameters, what: string, shown: string) => (
    <>
      {allowed.replay && (
        <button type="button" class="button small" aria-label={`Replay ${what}`} disabled={isRunning} onClick={() => act("POST", "dead/replay", which)}>
          Replay{shown}
        </button>
      )}
      {allowed.drop && (
        <button
          type="button"
          class="button small"
          aria-label={`Drop ${what}`}
          disabled={isRunning}
          onClick={() => setWanted({ which, question: `Drop ${what} for good?` })}
        >
          Drop{shown}…
        </button>
      )}
    </>
  );
  return (
    <section class="card wide" aria-label="Dead letters">
      <header>
        <h2>{all === 0 ? "No dead letters" : `${count(all)} dead ${all === 1 ? "letter" : "letters"}`}</h2>
        {all > 1 && <span class="actions-of-all">{actions({ all: "true" }, `all ${count(all)} dead letters`, " all")}</span>}
        {all === 0 && <span class="quiet">every document was taken</span>}
        {all > 0 && !allowed.replay && <span class="quiet">omphalos dead replay indexes them again, after the cause is fixed</span>}
      </header>
      {refusal && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
      {last && (
        <p role="status" class={last.state === "failed" ? "refusal" : "quiet"}>
          {last.state === "running" ? `A ${last.what} goes on since ${moment(last.started, utc).slice(11, 19)} …` : visible(last.told ?? "")}
        </p>
      )}
      {all > 0 && (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Since</th>
                <th scope="col">Index</th>
                <th scope="col">Reason</th>
                {(allowed.replay || allowed.drop) && <td />}
              </tr>
            </thead>
            <tbody>
              {letters.map((letter) => (
                <tr key={`${letter.id}${letter.at}`}>
                  <td class="time">{moment(letter.at, utc).slice(5, 19)}</td>
                  <td>{visible(letter.index ?? "–")}</td>
                  <td class="reason">
                    <b>{visible(letter.type ?? "unreadable")}</b> {visible((letter.reason ?? "").slice(0, 300))}
                  </td>
                  {(allowed.replay || allowed.drop) && <td class="actions-of-one">{letter.id && actions({ id: letter.id }, `the dead letter ${letter.id}`, "")}</td>}
                </tr>
              ))}
            </tbody>
          </table>
          {more > 0 && <p class="quiet">The newest {count(letters.length)} are shown.</p>}
        </div>
      )}
      {wanted && (
        <Sure
          question={wanted.question}
          onAnswer={(isSure) => {
            setWanted(undefined);
            if (isSure) act("DELETE", "dead", wanted.which);
          }}
        />
      )}
    </section>
  );
}

/** Asks before something is gone. */
function Sure({ question, onAnswer }: { question: string; onAnswer: (isSure: boolean) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="question" onCancel={() => onAnswer(false)}>
      <h2 id="question">{question}</h2>
      <p>Their documents are in no index, and then nowhere.</p>
      <p class="row">
        <button type="button" class="button" onClick={() => onAnswer(false)}>
          Keep
        </button>
        <button type="button" class="button danger" onClick={() => onAnswer(true)}>
          Drop
        </button>
      </p>
    </dialog>
  );
}
