/** Line plots as SVG: no library, since nothing more than this is needed. */
import type { Plot, Point, Series } from "./results.js";

const width = 640;
const height = 360;
const left = 70;
const right = 150;
const top = 36;
const bottom = 48;
const colours = ["#1b6ca8", "#d1495b", "#2e8b57", "#8d6a9f", "#edae49", "#555555"];

/** The powers of ten that enclose all positive values; at least one whole decade. */
export function decades(values: readonly number[]): readonly [low: number, high: number] {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [0, 1];
  const low = Math.floor(Math.log10(Math.min(...positive)));
  // Adding zero makes a plain zero of a negative one.
  const high = Math.ceil(Math.log10(Math.max(...positive))) + 0;
  return high > low ? [low, high] : [low, low + 1];
}

function label(power: number): string {
  if (power >= 6) return `${10 ** (power - 6)}M`;
  if (power >= 3) return `${10 ** (power - 3)}k`;
  return power >= 0 ? String(10 ** power) : (10 ** power).toFixed(-power);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Both axes are logarithmic: growth is what the plots are about. */
export function svgPlot(plot: Plot): string {
  const points = plot.series.flatMap((series) => series.points);
  const [xLow, xHigh] = decades(points.map((point) => point.x));
  const [yLow, yHigh] = decades(points.map((point) => point.y));
  const x = (power: number): number => left + ((power - xLow) / (xHigh - xLow)) * (width - left - right);
  const y = (power: number): number =>
    height - bottom - ((power - yLow) / (yHigh - yLow)) * (height - top - bottom);
  const at = (point: Point): string =>
    `${x(Math.log10(point.x)).toFixed(1)},${y(Math.log10(point.y)).toFixed(1)}`;
  const lines: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${left}" y="20" font-size="14">${escapeText(plot.title)}</text>`,
  ];
  for (let power = xLow; power <= xHigh; power++) {
    const across = x(power).toFixed(1);
    lines.push(`<line x1="${across}" y1="${top}" x2="${across}" y2="${height - bottom}" stroke="#dddddd"/>`);
    lines.push(`<text x="${across}" y="${height - bottom + 16}" text-anchor="middle">${label(power)}</text>`);
  }
  for (let power = yLow; power <= yHigh; power++) {
    const down = y(power).toFixed(1);
    lines.push(`<line x1="${left}" y1="${down}" x2="${width - right}" y2="${down}" stroke="#dddddd"/>`);
    lines.push(`<text x="${left - 6}" y="${Number(down) + 4}" text-anchor="end">${label(power)}</text>`);
  }
  const middle = (left + width - right) / 2;
  lines.push(`<text x="${middle}" y="${height - 10}" text-anchor="middle">${escapeText(plot.xLabel)}</text>`);
  const upright = (top + height - bottom) / 2;
  lines.push(
    `<text x="16" y="${upright}" text-anchor="middle" transform="rotate(-90 16 ${upright})">${escapeText(plot.yLabel)}</text>`,
  );
  plot.series.forEach((series, index) => {
    lines.push(...drawSeries(series, colours[index % colours.length]!, at));
  });
  return `${lines.join("\n")}\n</svg>\n`;
}

function drawSeries(series: Series, colour: string, at: (point: Point) => string): readonly string[] {
  const points = series.points.filter((point) => point.x > 0 && point.y > 0);
  const last = points.at(-1);
  if (last === undefined) return [];
  const [across, down] = at(last).split(",");
  return [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map(at).join(" ")}"/>`,
    ...points.map((point) => {
      const [cx, cy] = at(point).split(",");
      return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
    }),
    `<text x="${Number(across) + 8}" y="${Number(down) + 4}" fill="${colour}">${escapeText(series.name)}</text>`,
  ];
}
