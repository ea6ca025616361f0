// A course, small enough to stand in a row.
import { max } from "d3-array";
import { scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";

export function Spark({ values, width = 88, height = 20 }: { values: number[]; width?: number; height?: number }) {
  if (values.length < 2) return <svg class="spark" width={width} height={height} aria-hidden="true" />;
  const x = scaleLinear([0, values.length - 1], [1, width - 1]);
  const y = scaleLinear([0, max(values) || 1], [height - 1, 2]);
  const shape = area<number>((_, index) => x(index), height, (value) => y(value));
  const edge = line<number>((_, index) => x(index), (value) => y(value));
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <path class="fill" d={shape(values) ?? ""} />
      <path class="edge" d={edge(values) ?? ""} />
    </svg>
  );
}
