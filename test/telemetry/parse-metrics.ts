/** Figures as Prometheus reads them. */
export interface Metrics {
  has(name: string): boolean
  /** Of the one series of that name that has exactly these labels. */
  value(name: string, labels?: Readonly<Record<string, string>>): number
  /** Of all series of that name that have at least these labels; 0: there is none. */
  sum(name: string, labels: Readonly<Record<string, string>>): number
}

const LINE = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i

/** Reads the text form of Prometheus (version 0.0.4); throws where a line is not of it, or stands twice. */
export function parseMetrics(text: string): Metrics {
  const series = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# ')) continue
    const match = LINE.exec(line)
    if (match === null) throw new Error(`no line of Prometheus: ${line}`)
    const [, name = '', labels = '', value = ''] = match
    const key = keyOf(name, labelsOf(labels))
    if (series.has(key)) throw new Error(`stands twice: ${key}`)
    series.set(key, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value))
  }
  return {
    has: (name) => [...series.keys()].some((key) => key.startsWith(`${name}{`)),
    sum(name, labels) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}=${value}`)
      return [...series].reduce((total, [key, value]) => {
        const pairs = key.startsWith(`${name}{`) ? key.slice(name.length + 1, -1).split(',') : null
        return pairs !== null && wanted.every((pair) => pairs.includes(pair)) ? total + value : total
      }, 0)
    },
    value(name, labels = {}) {
      const found = series.get(keyOf(name, labels))
      if (found === undefined) throw new Error(`no ${keyOf(name, labels)} in ${[...series.keys()].join('\n')}`)
      return found
    },
  }
}

function labelsOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([a-z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/gi)]
  if (pairs.map(([whole]) => whole).join('') !== text) throw new Error(`no labels of Prometheus: ${text}`)
  return Object.fromEntries(pairs.map(([, name, value]) => [name, value]))
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${value}`)
  return `${name}{${pairs.sort().join(',')}}`
}
