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
export function drawLatency(latency: SimulatedLatency, draw: Draw): number {
  const { medianMs, p99Ms } = latency
  if (medianMs <= 0 || p99Ms <= medianMs) return medianMs
  const sigma = Math.log(p99Ms / medianMs) / Z99
  // Box and Muller's transform; 1 - u keeps the logarithm finite.
  const normal = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw())
  return medianMs * Math.exp(sigma * normal)
}
