// All of one line: its fields, its JSON, and what stands around it in its file.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAsked } from "../api";
import { field, flat, identity, text, told, visible } from "../document";
import { moment } from "../format";
import { partFor, withPart } from "../place";
import type { Around, Document } from "../types";
import { Failed, Waiting } from "./states";

const MOST_FIELDS = 200;
const MOST_TEXT = 1000;
/** How often, and after how many milliseconds, a line is looked for that is not there yet. */
const MOST_TRIES = 10;
const TRY_AGAIN = 1500;
const TABS = ["Fields", "Around", "JSON"] as const;

interface Detail {
  document: Document;
  filter: string;
  columns: string[];
  utc: boolean;
  onFilter: (filter: string) => void;
  onColumns: (columns: string[]) => void;
  onClose: () => void;
}

function Copy({ name, value }: { name: string; value: string }) {
  const [isDone, setDone] = useState(false);
  return (
    <button
      type="button"
      class="button small"
      onClick={() => {
        void copied(value).then((isDone) => {
          setDone(isDone);
          setTimeout(() => setDone(false), 1500);
        });
      }}
    >
      {isDone ? "Copied" : name}
    </button>
  );
}

/** Copies a text. Where the page came by HTTP from another machine, browsers have the old way alone. */
async function copied(value: string): Promise<boolean> {
  if (window.isSecureContext) {
    return navigator.clipboard.writeText(value).then(
      () => true,
      () => false,
    );
  }
  const text = document.createElement("textarea");
  text.value = value;
  document.body.append(text);
  text.select();
  const isDone = document.execCommand("copy");
  text.remove();
  return isDone;
}

export function Detail(props: Detail) {
  const { document, utc, onClose } = props;
  const [tab, setTab] = useState<(typeof TABS)[number]>("Fields");
  const panel = useRef<HTMLElement>(null);
  const json = useMemo(() => JSON.stringify(document, null, 2), [document]);
  useEffect(() => {
    const close = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && panel.current?.contains(event.target as Node)) onClose();
    };
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [onClose]);
  const original = text(field(document, "event.original"));
  return (
    <aside class="detail" ref={panel} aria-label="The line">
      <header>
        <div>
          <h2>{told(document).head || "Line"}</h2>
          <time>{moment(text(field(document, "@timestamp")), utc)}</time>
        </div>
        <button type="button" class="icon" aria-label="Close" onClick={onClose}>
          <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
            <path d="M5 5 15 15M15 5 5 15" />
          </svg>
        </button>
      </header>
      <div class="tabs">
        <div role="tablist" aria-label="What of the line is shown">
          {TABS.map((name) => (
            <button key={name} type="button" role="tab" aria-selected={name === tab} onClick={() => setTab(name)}>
              {name}
            </button>
          ))}
        </div>
        <span class="fill" />
        {original && <Copy name="Copy raw" value={original} />}
        <Copy name="Copy JSON" value={json} />
      </div>
      <div class="content" role="tabpanel" aria-label={tab} tabIndex={0}>
        {tab === "Fields" && <FieldsOf {...props} />}
        {tab === "JSON" && <pre>{visible(json.slice(0, 100_000))}</pre>}
        {tab === "Around" && <AroundOf key={identity(document, null)} document={document} utc={utc} />}
      </div>
    </aside>
  );
}

function FieldsOf({ document, filter, columns, onFilter, onColumns }: Detail) {
  const [wanted, setWanted] = useState("");
  const [isAll, setAll] = useState(false);
  const fields = useMemo(() => flat(document), [document]);
  const fits = fields.filter(([name, value]) => `${name}${value}`.toLowerCase().includes(wanted.toLowerCase()));
  const shown = isAll ? fits : fits.slice(0, MOST_FIELDS);
  return (
    <>
      {fields.length > 30 && (
        <input
          class="narrow"
          type="search"
          value={wanted}
          placeholder={`Look among ${fields.length} fields`}
          aria-label="Look among the fields"
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
      )}
      <table>
        <tbody>
          {shown.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{visible(name)}</th>
              <td>
                <Long value={value} />
              </td>
              <td class="actions">
                <button type="button" aria-label={`Only lines with this ${name}`} title="Filter for" onClick={() => onFilter(withPart(filter, partFor(name, value)))}>
                  +
                </button>
                <button type="button" aria-label={`Only lines without this ${name}`} title="Filter out" onClick={() => onFilter(withPart(filter, partFor(name, value), true))}>
                  −
                </button>
                <button
                  type="button"
                  aria-label={`Show ${name} as column`}
                  aria-pressed={columns.includes(name)}
                  title="Show as column"
                  onClick={() => onColumns(columns.includes(name) ? columns.filter((one) => one !== name) : [...columns, name])}
                >
                  ⊞
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < fits.length && (
        <button type="button" class="button" onClick={() => setAll(true)}>
          Show all {fits.length} fields
        </button>
      )}
    </>
  );
}

function Long({ value }: { value: string }) {
  const [isWhole, setWhole] = useState(false);
  if (value.length <= MOST_TEXT || isWhole) return <>{visible(value)}</>;
  return (
    <>
      {visible(value.slice(0, MOST_TEXT))}…{" "}
      <button type="button" class="link" onClick={() => setWhole(true)}>
        {value.length - MOST_TEXT} more characters
      </button>
    </>
  );
}

/** Asks for the lines around one until it is among them: what was just read can be found some moments later. */
function useAround(question: { path: string; offset: string; host: string }) {
  const { data, problem, again } = useAsked<Around>(question.offset ? "lines/around" : undefined, { ...question, n: 12 });
  const [tries, setTries] = useState(0);
  const found = data?.lines[data.at];
  const isThere = found !== undefined && text(field(found.document, "log.offset")) === question.offset;
  useEffect(() => {
    if (!data || isThere || tries >= MOST_TRIES) return undefined;
    const timer = setTimeout(() => {
      setTries(tries + 1);
      again();
    }, TRY_AGAIN);
    return () => clearTimeout(timer);
  }, [data]);
  return { data, problem, again, isThere, isTrying: tries < MOST_TRIES };
}

function AroundOf({ document, utc }: { document: Document; utc: boolean }) {
  const path = text(field(document, "log.file.path"));
  const offset = text(field(document, "log.offset"));
  const host = text(field(document, "host.name"));
  const { data, problem, again, isThere, isTrying } = useAround({ path, offset, host });
  if (!offset) return <p class="nothing">This line came from no file.</p>;
  if (problem) return <Failed problem={problem} again={again} />;
  if (!data) return <Waiting />;
  return (
    <>
      <p class="quiet path">{visible(path)}</p>
      {!isThere && (
        <p class="quiet" role="status">
          {isTrying ? "This line cannot be searched yet. Looking again…" : "This line is not among what is stored."}
        </p>
      )}
      <ol class="around">
        {data.lines.map((line, index) => {
          const { time, tone, head, body } = told(line.document);
          return (
            <li key={index} class={`${tone}${isThere && index === data.at ? " at" : ""}`} aria-current={isThere && index === data.at}>
              <time>{moment(time, utc).slice(11)}</time>
              <span class="head">{head}</span>
              <span>{body}</span>
            </li>
          );
        })}
      </ol>
    </>
  );
}
