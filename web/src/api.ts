// Asking the REST API.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ProblemJson } from "./types";

/** Why there is no answer, in the words of the API, or of the browser where there was none. */
export class Problem extends Error {
  readonly status: number;
  readonly parameter: string | undefined;

  constructor(problem: ProblemJson) {
    super(problem.detail);
    this.status = problem.status;
    this.parameter = problem.parameter;
  }
}

export type Parameters = Record<string, string | number | undefined>;

export function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return `/api/v1/${path}${text && `?${text}`}`;
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    return new Problem((await answer.json()) as ProblemJson);
  } catch {
    return new Problem({ title: "", status: answer.status, detail: `the answer is ${answer.status}` });
  }
}

export async function ask<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(address(path, parameters), signal ? { signal } : {});
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ title: "", status: 0, detail: "the process does not answer; is it running?" });
  }
  if (!answer.ok) throw await problemOf(answer);
  return (await answer.json()) as T;
}

export async function change(path: string, body: unknown, method: "POST" | "DELETE" = "POST", parameters: Parameters = {}): Promise<unknown> {
  // A page of another site cannot say so without asking first, and is refused then.
  const headers = { "content-type": "application/json" };
  const answer = await fetch(address(path, parameters), { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (!answer.ok) throw await problemOf(answer);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

export interface Asked<T> {
  data: T | undefined;
  problem: Problem | undefined;
  isLoading: boolean;
  again: () => void;
}

/** Asks whenever the question changes. What was answered before stays until the next answer. */
export function useAsked<T>(path: string | undefined, parameters: Parameters = {}): Asked<T> {
  const [state, setState] = useState<{ data?: T; problem?: Problem; isLoading: boolean }>({ isLoading: true });
  const [round, setRound] = useState(0);
  const question = path === undefined ? undefined : address(path, parameters);
  // Not behind the next frame, as an effect is: the answer comes a frame sooner.
  useLayoutEffect(() => {
    if (path === undefined) {
      setState({ isLoading: false });
      return undefined;
    }
    const abort = new AbortController();
    setState((before) => ({ ...before, isLoading: true }));
    ask<T>(path, parameters, abort.signal).then(
      (data) => setState({ data, isLoading: false }),
      (problem: unknown) => {
        if (problem instanceof Problem) setState({ problem, isLoading: false });
      },
    );
    return () => abort.abort();
  }, [question, round]);
  return { data: state.data, problem: state.problem, isLoading: state.isLoading, again: () => setRound((n) => n + 1) };
}

/** What is stored can be found so many milliseconds later, as a rule; it is asked for again so often until then. */
const SETTLED = 10_000;
const SETTLING = 2000;

/** Asks again for a time that ends now, or a little later, until all of it can be found. */
export function useSettling(until: string, again: () => void): void {
  const latest = useRef(again);
  latest.current = again;
  useEffect(() => {
    const end = new Date(until).getTime() + SETTLED;
    // Times without a form of their own, such as "10m", and those far off, are left as they are.
    if (!(Math.abs(end - Date.now()) < 60_000)) return undefined;
    const timer = setInterval(() => {
      latest.current();
      if (Date.now() > end) clearInterval(timer);
    }, SETTLING);
    return () => clearInterval(timer);
  }, [until]);
}

export type Connection = "none" | "connecting" | "open" | "lost";

/** Listens to the one stream of all that moves. The handlers may change without a new connection. */
export function useLive(
  parameters: Parameters | undefined,
  handlers: Record<string, (data: never) => void>,
): Connection {
  const [connection, setConnection] = useState<Connection>("connecting");
  const latest = useRef(handlers);
  latest.current = handlers;
  const question = parameters && address("live", parameters);
  useEffect(() => {
    if (!question) {
      setConnection("none");
      return undefined;
    }
    setConnection("connecting");
    let source: EventSource;
    let retry = 0;
    const connect = (): void => {
      source = new EventSource(question);
      source.onopen = () => setConnection("open");
      source.onerror = () => {
        setConnection("lost");
        // Browsers give up for good where the answer was none.
        if (source.readyState === EventSource.CLOSED) retry = window.setTimeout(connect, 3000);
      };
      for (const name of ["overview", "lines", "sources", "health", "alerts", "problem"]) {
        source.addEventListener(name, (event) => {
          latest.current[name]?.(JSON.parse((event as MessageEvent<string>).data) as never);
        });
      }
    };
    connect();
    return () => {
      window.clearTimeout(retry);
      source.close();
    };
  }, [question]);
  return connection;
}
