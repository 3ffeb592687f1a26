import type { Counters } from '../domain/job.ts'
import { formatUsd } from '../domain/money.ts'

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const tenths = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 })

/** A whole number with thousands separators: `10,003`. */
export function count(n: number): string {
  return whole.format(n)
}

/** `1 row`, `10,003 rows`. */
export function counted(n: number, noun: string, plural = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : plural}`
}

/** Percent of `total`, rounded down: 100 only when all is done. Of nothing, all is done. */
export function percentDone(done: number, total: number): number {
  if (done >= total) return 100
  return Math.min(99, Math.max(0, Math.floor((done / total) * 100)))
}

/** A speed: one decimal below ten, whole numbers above. */
export function rate(perUnit: number): string {
  return perUnit < 10 ? tenths.format(perUnit) : whole.format(perUnit)
}

/** A span of time in ms as a clock: `0:16`, `1:02:03`, `2 d 3:04:05`. Begun seconds do not count. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3600) % 24
  const minutes = Math.floor(seconds / 60) % 60
  const two = (n: number) => String(n).padStart(2, '0')
  if (days > 0) return `${days} d ${hours}:${two(minutes)}:${two(seconds % 60)}`
  if (hours > 0) return `${hours}:${two(minutes)}:${two(seconds % 60)}`
  return `${minutes}:${two(seconds % 60)}`
}

/** How long ago, in its largest unit: `4 s`, `3 min`, `2 h`, `5 d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

/** `[####----]`, `width` columns with its brackets; filled from the left, rounded down. */
export function bar(done: number, total: number, width: number): string {
  const inside = Math.max(1, width - 2)
  const share = total === 0 ? 0 : Math.min(1, done / total)
  const filled = Math.floor(inside * share)
  return `[${'#'.repeat(filled)}${'-'.repeat(inside - filled)}]`
}

/** What has been spent, for people; where prices are unknown, that is said. */
export function cost(counters: Pick<Counters, 'costNano' | 'unpriced'>): string {
  if (counters.unpriced === 0) return formatUsd(counters.costNano)
  return counters.costNano === 0 ? 'unknown' : `at least ${formatUsd(counters.costNano)}`
}
