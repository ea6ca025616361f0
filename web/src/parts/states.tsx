// What is shown where there is nothing to show.
import type { ComponentChildren } from "preact";
import type { Problem } from "../api";

export function Nothing({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="state">
      <svg viewBox="0 0 48 48" width="48" height="48" aria-hidden="true">
        <circle cx="24" cy="24" r="18" />
        <circle cx="24" cy="24" r="6" />
      </svg>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Failed({ problem, again }: { problem: Problem; again: () => void }) {
  if (problem.parameter === "filter") {
    return (
      <Nothing title="This search cannot be read">
        <p>What is wrong with it stands below the search box.</p>
      </Nothing>
    );
  }
  return (
    <div class="state" role="alert">
      <h2>{problem.status === 0 ? "Not connected" : "There is no answer"}</h2>
      <p>{problem.message}</p>
      <button type="button" class="button" onClick={again}>
        Try again
      </button>
    </div>
  );
}

/** Grey shapes of what will be there, so that nothing moves when it comes. */
export function Waiting({ rows = 8 }: { rows?: number }) {
  return (
    <div class="waiting" aria-busy="true" aria-label="loading">
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} style={{ width: `${92 - ((row * 37) % 50)}%` }} />
      ))}
    </div>
  );
}
