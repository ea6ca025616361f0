// Figures over time, with a brush: drag over a part, or use the arrow keys, to look at that part alone.
import { max } from "d3-array";
import { scaleLinear, scaleTime } from "d3-scale";
import { area, line, stack } from "d3-shape";
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, compact, compactBeside, moment } from "../format";

export interface Layer {
  name: string;
  /** Which of the colours of page.css. */
  tone: string;
  values: number[];
}

interface Chart {
  title: string;
  /** When each step begins, in milliseconds. */
  times: number[];
  step: number;
  layers: Layer[];
  /** Layers on one another, or each a line of its own. */
  kind: "stacked" | "lines";
  height?: number;
  utc: boolean;
  format: (value: number) => string;
  onZoom?: (from: number, to: number) => void;
}

/** Where the pointer went down: at which step, and where on the screen. */
interface Drag {
  from: number;
  x: number;
  isMoved: boolean;
}

/** So far the pointer has to go until it is no click, in pixels. */
const LEAST_DRAG = 4;
const MARGIN = { top: 8, right: 2, bottom: 22, left: 52 };

export function useWidth(): [preact.RefObject<HTMLDivElement>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

export function Chart({ title, times, step, layers, kind, height = 180, utc, format, onZoom }: Chart) {
  const [box, width] = useWidth();
  // When the steps begin that the pointer, or a key, is at: one, or where several begin and end. Figures that come
  // meanwhile move the steps, and what was chosen with them.
  const [chosen, setChosen] = useState<{ from: number; to: number } | null>(null);
  const drag = useRef<Drag | null>(null);
  const first = times[0] ?? 0;
  const last = (times.at(-1) ?? 0) + step;
  const x = scaleTime([first, last], [MARGIN.left, Math.max(width - MARGIN.right, MARGIN.left + 1)]);
  const sums = times.map((_, index) => layers.reduce((sum, layer) => sum + (layer.values[index] ?? 0), 0));
  const tops = kind === "stacked" ? sums : layers.flatMap((layer) => layer.values);
  const ticks = height < 120 ? 2 : 4;
  const y = scaleLinear([0, max(tops) || 1], [height - MARGIN.bottom, MARGIN.top]).nice(ticks);
  const ofAxis = (tick: number): string => (format === compact ? compactBeside(tick, y.domain()[1] ?? 0) : format(tick));
  const center = (index: number): number => x((times[index] ?? 0) + step / 2);
  const stepOf = (time: number): number => Math.min(Math.max(Math.floor((time - first) / step), 0), Math.max(times.length - 1, 0));
  const at = (event: PointerEvent): number => {
    const bounds = box.current?.getBoundingClientRect();
    return times[stepOf(x.invert(event.clientX - (bounds?.left ?? 0)).getTime())] ?? first;
  };
  const range = chosen && { from: stepOf(Math.min(chosen.from, chosen.to)), to: stepOf(Math.max(chosen.from, chosen.to)) };
  const zoom = (): void => {
    if (range) onZoom?.(times[range.from] ?? first, (times[range.to] ?? first) + step);
    setChosen(null);
  };
  const key = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      const now = chosen ? stepOf(chosen.to) : times.length;
      const to = times[Math.min(Math.max(now + by, 0), times.length - 1)] ?? first;
      setChosen({ from: event.shiftKey ? (chosen?.from ?? to) : to, to });
    } else if (event.key === "Enter") zoom();
    else if (event.key === "Escape") setChosen(null);
  };
  const told = range && range.to < times.length ? readout(range) : null;
  function readout({ from, to }: { from: number; to: number }) {
    const value = (layer: Layer): number => {
      const values = layer.values.slice(from, to + 1);
      return kind === "stacked" ? values.reduce((sum, one) => sum + one, 0) : Math.max(...values);
    };
    const end = from === to ? "" : ` to ${clock((times[to] ?? 0) + step, utc, step)}`;
    return (
      <div class="readout" aria-live="polite">
        <span class="when">{moment(times[from] ?? 0, utc).slice(0, -4) + end}</span>
        {layers.map((layer) => (
          <span key={layer.name} class={`key ${layer.tone}`}>
            {layer.name} <b>{format(value(layer))}</b>
          </span>
        ))}
      </div>
    );
  }
  const legend = (
    <div class="readout">
      {layers.map((layer) => (
        <span key={layer.name} class={`key ${layer.tone}`}>
          {layer.name}
        </span>
      ))}
    </div>
  );
  return (
    <figure class="chart" ref={box}>
      <figcaption>
        <h2>{title}</h2>
        {told ?? legend}
      </figcaption>
      {width > 0 && (
        <svg
          width={width}
          height={height}
          role={onZoom ? "application" : "img"}
          aria-label={`${title} over time${onZoom ? "; arrow keys move, with shift they choose, enter zooms" : ""}`}
          tabIndex={onZoom ? 0 : undefined}
          onKeyDown={onZoom ? key : undefined}
          onBlur={() => setChosen(null)}
          onPointerDown={(event) => {
            if (!onZoom || event.button !== 0) return;
            drag.current = { from: at(event), x: event.clientX, isMoved: false };
            (event.currentTarget as Element).setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => {
            const to = at(event);
            if (drag.current) drag.current.isMoved ||= Math.abs(event.clientX - drag.current.x) >= LEAST_DRAG;
            setChosen({ from: drag.current?.from ?? to, to });
          }}
          onPointerLeave={() => drag.current === null && setChosen(null)}
          onPointerCancel={() => {
            drag.current = null;
            setChosen(null);
          }}
          onPointerUp={() => {
            // A drag within one step means that step; a click means nothing.
            if (drag.current?.isMoved) zoom();
            drag.current = null;
          }}
        >
          <g class="grid" aria-hidden="true">
            {/* There is no half of what is counted. */}
            {y.ticks(ticks).filter((tick) => kind === "lines" || Number.isInteger(tick)).map((tick) => (
              <g key={tick} transform={`translate(0,${y(tick)})`}>
                <line x1={MARGIN.left} x2={width - MARGIN.right} />
                <text x={MARGIN.left - 8} dy="0.32em" text-anchor="end">
                  {ofAxis(tick)}
                </text>
              </g>
            ))}
            {x.ticks(Math.max(2, Math.floor(width / 110))).filter((tick) => x(tick) < width - 18).map((tick) => (
              <text key={tick.getTime()} x={x(tick)} y={height - 5} text-anchor="middle">
                {clock(tick.getTime(), utc, last - first)}
              </text>
            ))}
          </g>
          <g class="shapes">{kind === "stacked" ? stacked() : lines()}</g>
          {range && (
            <rect
              class="chosen"
              x={x(times[range.from] ?? first)}
              width={Math.max(x((times[range.to] ?? first) + step) - x(times[range.from] ?? first), 1)}
              y={MARGIN.top}
              height={Math.max(height - MARGIN.bottom - MARGIN.top, 0)}
            />
          )}
        </svg>
      )}
    </figure>
  );

  function stacked() {
    const names = layers.map((_, index) => String(index));
    const rows = times.map((_, index) =>
      Object.fromEntries(layers.map((layer, number) => [String(number), layer.values[index] ?? 0])),
    );
    const bars = times.length <= 150;
    const gap = width / times.length > 5 ? 1 : 0;
    return stack<Record<string, number>>().keys(names)(rows).map((series, number) => {
      const tone = layers[number]?.tone ?? "";
      if (bars) {
        const path = series.map(([low, high], index) => {
          if (high === low) return "";
          const left = x(times[index] ?? 0) + gap / 2;
          const right = x((times[index] ?? 0) + step) - gap / 2;
          return `M${left.toFixed(1)},${y(low).toFixed(1)}V${y(high).toFixed(1)}H${right.toFixed(1)}V${y(low).toFixed(1)}Z`;
        });
        return <path key={number} class={`layer ${tone}`} d={path.join("")} />;
      }
      const shape = area<[number, number]>((_, index) => center(index), ([low]) => y(low), ([, high]) => y(high));
      return <path key={number} class={`layer ${tone}`} d={shape(series as unknown as [number, number][]) ?? ""} />;
    });
  }

  function lines() {
    return layers.map((layer) => {
      const shape = line<number>((_, index) => center(index), (value) => y(value)).defined((value) => !Number.isNaN(value));
      return <path key={layer.name} class={`edge ${layer.tone}`} d={shape(layer.values) ?? ""} />;
    });
  }
}
