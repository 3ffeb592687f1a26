import type { Draw } from './draw.ts'

/** How long answers take: log-normal, as measured latencies of models roughly are. Both 0: at once. */
export interface SimulatedLatency {
  readonly medianMs: number
  /** One of a hundred answers takes longer. At or below the median, all take the median. */
  readonly p99Ms: number
}

/** The standard normal distribution's 99th percentile. */
const Z99 = 2.326_347_874

/** Milliseconds that one answer takes. */
export function drawLatency({ medianMs, p99Ms }: SimulatedLatency, draw: Draw): number {
  return drawLogNormal(medianMs, p99Ms, draw)
}

/** A log-normal number, of which so much is the median and one of a hundred is above `p99`. At or below the median, all are the median. */
export function drawLogNormal(median: number, p99: number, draw: Draw): number {
  if (median <= 0 || p99 <= median) return median
  const sigma = Math.log(p99 / median) / Z99
  // Box and Muller's transform; 1 - u keeps the logarithm finite.
  const normal = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw())
  return median * Math.exp(sigma * normal)
}
