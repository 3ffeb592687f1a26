const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** A whole number with thousands separators: `10,003`. */
export function count(n: number): string {
  return whole.format(n)
}

/** `1 row`, `10,003 rows`. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`
}

/** A share with one decimal, rounded down: 100% is all of it. Of nothing, all is there. */
export function percent(part: number, total: number): string {
  if (part >= total) return '100%'
  return `${(Math.floor((part / total) * 1000 + 1e-9) / 10).toFixed(1)}%`
}

/** How many times larger one number is than another: `2.9×`, `14×`. */
export function times(n: number): string {
  return `${n < 10 ? (Math.round(n * 10) / 10).toFixed(1) : whole.format(n)}×`
}

/** A span of time: `850 ms`, `16 s`, `4 min 10 s`, `1 h 58 min`, `2 d 3 h`. Begun units do not count. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.floor(ms))} ms`
  const seconds = Math.floor(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${seconds} s`
  if (hours === 0) return `${minutes} min ${seconds % 60} s`
  if (hours < 24) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Bytes in decimal units: `312 B`, `4.2 MB`. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = n
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? whole.format(value) : value.toFixed(1)} ${units[unit]}`
}

/** A moment in UTC, to the second: `2026-11-22 10:15:00 UTC`. */
export function moment(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
