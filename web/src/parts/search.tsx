// The search box: the language of omphalos search, with fields and values proposed.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ask, useAsked } from "../api";
import { compact } from "../format";
import type { Fields, Values } from "../types";

interface Proposal {
  text: string;
  beside: string;
  /** What replaces the word before the cursor. */
  insert: string;
}

const MOST = 8;

/** The word that ends at the cursor. */
function wordAt(text: string, cursor: number): { start: number; word: string } {
  const before = text.slice(0, cursor);
  const start = Math.max(before.lastIndexOf(" "), before.lastIndexOf("(")) + 1;
  return { start, word: before.slice(start) };
}

function ofFields(fields: Fields, word: string): Proposal[] {
  const short = Object.entries(fields.short_names).map(([name, field]) => ({ text: name, beside: field }));
  const own = fields.fields.map(({ name, type }) => ({ text: name, beside: type }));
  const wanted = word.toLowerCase();
  const fits = [...short, ...own].filter(({ text }) => text.toLowerCase().includes(wanted));
  fits.sort((one, other) => Number(!one.text.startsWith(wanted)) - Number(!other.text.startsWith(wanted)));
  return fits.slice(0, MOST).map((field) => ({ ...field, insert: `${field.text}:` }));
}

async function ofValues(word: string, since: string): Promise<Proposal[]> {
  const [field = "", part = ""] = word.split(/:(.*)/s);
  const bare = part.replace(/^["<>=]+/, "");
  const { values } = await ask<Values>(`fields/${encodeURIComponent(field)}`, { part: bare, n: MOST, since });
  return values.map(({ value, hits }) => ({
    text: value,
    beside: compact(hits),
    insert: `${field}:${/^[\w.@-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`} `,
  }));
}

interface Box {
  filter: string;
  since: string;
  problem: string | undefined;
  onSearch: (filter: string) => void;
}

export function Search({ filter, since, problem, onSearch }: Box) {
  const [text, setText] = useState(filter);
  const [proposals, setProposals] = useState<Proposal[]>([]);
  const [chosen, setChosen] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const fields = useAsked<Fields>("fields").data;
  useEffect(() => setText(filter), [filter]);
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        input.current?.focus();
      }
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);

  const close = (): void => {
    setProposals([]);
    setChosen(-1);
  };
  const propose = async (typed: string): Promise<void> => {
    const { word } = wordAt(typed, input.current?.selectionStart ?? typed.length);
    setChosen(-1);
    const bare = word.replace(/^[-+!]/, "");
    if (!bare || !fields || bare.startsWith('"')) return setProposals([]);
    try {
      const found = bare.includes(":") ? await ofValues(bare, since) : ofFields(fields, bare);
      // What was typed meanwhile is proposed for on its own.
      if (input.current?.value === typed) setProposals(found);
    } catch {
      setProposals([]);
    }
  };
  const take = (proposal: Proposal): void => {
    const cursor = input.current?.selectionStart ?? text.length;
    const { start, word } = wordAt(text, cursor);
    const sign = /^[-+!]/.exec(word)?.[0] ?? "";
    const before = text.slice(0, start) + sign + proposal.insert;
    const after = before + text.slice(cursor).replace(/^ /, "");
    setText(after);
    close();
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(before.length, before.length);
      if (input.current && proposal.insert.endsWith(":")) void propose(after);
    });
  };
  const key = (event: KeyboardEvent): void => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const proposal = proposals[chosen];
    if (move !== undefined && proposals.length > 0) {
      event.preventDefault();
      setChosen((chosen + move + proposals.length + 1) % (proposals.length + 1));
    } else if (event.key === "Escape") {
      // A browser would take away what is typed.
      event.preventDefault();
      if (proposals.length > 0) close();
      else input.current?.blur();
    } else if ((event.key === "Enter" || event.key === "Tab") && proposal) {
      event.preventDefault();
      take(proposal);
    }
  };
  return (
    <form
      class={`search${problem ? " bad" : ""}`}
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        close();
        onSearch(text.trim());
      }}
    >
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
        <circle cx="8.5" cy="8.5" r="5.5" />
        <path d="M12.8 12.8 17 17" />
      </svg>
      <input
        ref={input}
        type="search"
        name="filter"
        value={text}
        placeholder="status:>=500 AND path:/api/*"
        aria-label="Search"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        role="combobox"
        aria-expanded={proposals.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen >= 0 && chosen < proposals.length ? `${id}-${chosen}` : undefined}
        aria-invalid={problem !== undefined}
        aria-describedby={problem ? `${id}-problem` : undefined}
        onInput={(event) => {
          setText(event.currentTarget.value);
          void propose(event.currentTarget.value);
        }}
        onKeyDown={key}
        onBlur={() => setTimeout(close, 150)}
      />
      <kbd aria-hidden="true">/</kbd>
      <ul id={`${id}-list`} class="proposals" role="listbox" aria-label="Proposals" hidden={proposals.length === 0}>
        {proposals.map((proposal, index) => (
          <li
            key={proposal.text}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            onPointerDown={(event) => {
              event.preventDefault();
              take(proposal);
            }}
          >
            <span>{proposal.text}</span>
            <span class="quiet">{proposal.beside}</span>
          </li>
        ))}
      </ul>
      {problem && (
        <p class="problem" id={`${id}-problem`} role="alert">
          <Place filter={filter} problem={problem} />
          {problem}
        </p>
      )}
    </form>
  );
}

/** What was asked, with the character marked that the problem names. */
function Place({ filter, problem }: { filter: string; problem: string }) {
  const found = / at character (\d+) /.exec(problem);
  const characters = [...filter];
  const at = Number(found?.[1]) - 1;
  if (!found || at >= characters.length) return null;
  return (
    <code aria-hidden="true">
      {characters.slice(0, at).join("")}
      <mark>{characters[at]}</mark>
      {characters.slice(at + 1).join("")}
    </code>
  );
}
