// Lines, of which only those are drawn that are seen. It never moves under who reads: what is new is put
// on top only while the top is seen.
import { useEffect, useRef, useState } from "preact/hooks";
import { field, identity, text, told, visible } from "../document";
import { moment } from "../format";
import type { Found } from "../types";

const ROW = 28;
const BEYOND = 12;

export interface Item extends Found {
  key: string;
}

export function itemOf(found: Found): Item {
  return { ...found, key: identity(found.document, found.id) };
}

interface List {
  items: Item[];
  columns: string[];
  utc: boolean;
  open: string | null;
  onOpen: (item: Item | null) => void;
  onTop: (isTop: boolean) => void;
  onEnd: () => void;
}

export function LineList({ items, columns, utc, open, onOpen, onTop, onEnd }: List) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [cursor, setCursor] = useState<string | null>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setView({ top: element.scrollTop, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const first = Math.max(Math.floor(view.top / ROW) - BEYOND, 0);
  const end = Math.min(Math.ceil((view.top + view.height) / ROW) + BEYOND, items.length);
  useEffect(() => {
    if (end >= items.length - BEYOND && items.length > 0) onEnd();
  }, [end, items.length]);
  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    setView({ top: element.scrollTop, height: element.clientHeight });
    onTop(element.scrollTop < ROW);
  };
  const key = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 15, PageUp: -15 }[event.key];
    const at = items.findIndex((item) => item.key === (cursor ?? open));
    if (by !== undefined) {
      event.preventDefault();
      const to = Math.min(Math.max(at + by, 0), items.length - 1);
      const item = items[to];
      if (!item || !box.current) return;
      setCursor(item.key);
      if (open) onOpen(item);
      const { scrollTop, clientHeight } = box.current;
      if (to * ROW < scrollTop) box.current.scrollTop = to * ROW;
      if ((to + 1) * ROW > scrollTop + clientHeight) box.current.scrollTop = (to + 1) * ROW - clientHeight;
    } else if (event.key === "Enter") {
      const item = items[at];
      if (item) onOpen(item.key === open ? null : item);
    } else if (event.key === "Escape") onOpen(null);
  };
  return (
    <div
      class="list"
      ref={box}
      role="listbox"
      aria-label="Lines"
      tabIndex={0}
      aria-activedescendant={cursor ? `line-${cursor}` : undefined}
      onScroll={scrolled}
      onKeyDown={key}
    >
      <div class="all" style={{ height: `${items.length * ROW}px` }} role="presentation">
        {items.slice(first, end).map((item, index) => {
          const line = told(item.document);
          const isOpen = item.key === open;
          return (
            <div
              key={item.key}
              id={`line-${item.key}`}
              class={`line ${line.tone}${item.key === cursor ? " cursor" : ""}`}
              role="option"
              aria-selected={isOpen}
              aria-posinset={first + index + 1}
              aria-setsize={items.length}
              style={{ transform: `translateY(${(first + index) * ROW}px)` }}
              onClick={() => {
                // Who selects text does not want the line opened.
                if (getSelection()?.isCollapsed !== false) {
                  setCursor(item.key);
                  onOpen(isOpen ? null : item);
                }
              }}
            >
              <time>{moment(line.time, utc).slice(5)}</time>
              <span class="head">{line.head}</span>
              {columns.map((name) => (
                <span key={name} class="column" title={name}>
                  {visible(text(field(item.document, name)).slice(0, 200)) || "–"}
                </span>
              ))}
              <span class="body">{line.body}</span>
              <span class="beside">{line.beside}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
