import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import { loadSpec } from '../../src/spec/load.ts'

const EXAMPLES = new URL('../../examples/', import.meta.url).pathname

describe.each([
  ['tickets/tickets.yaml', 200],
  ['companies/companies.yaml', 60],
  ['articles/articles.yaml', 30],
])('examples/%s', (path, rows) => {
  it('is a spec that runs offline, over sample data with unique keys', async () => {
    const { spec } = await loadSpec(join(EXAMPLES, path), { env: () => undefined })
    expect(spec.model.target.id).toMatch(/^simulator\//)
    const file = join(EXAMPLES, dirname(path), spec.input.source ?? '')
    const records = recordsOf(file)
    expect(records).toHaveLength(rows)
    const keys = records.map((record) => record[spec.input.key ?? ''])
    expect(new Set(keys).size).toBe(rows)
    expect(keys).not.toContain(undefined)
    for (const column of spec.output.columns) expect(Object.keys(records[0] ?? {})).not.toContain(column)
    for (const record of records) for (const value of Object.values(record)) expect(value).not.toBe('')
  })
})

describe('the sample tickets', () => {
  it('hold what real files hold: newlines and quotes in cells, commas, letters beyond ASCII', () => {
    const bodies = recordsOf(join(EXAMPLES, 'tickets/tickets.csv')).map((record) => record.body ?? '')
    for (const piece of ['\n', '"', ',', 'ç', '。', 'ł']) {
      expect(bodies.filter((body) => body.includes(piece)).length, piece).toBeGreaterThan(0)
    }
  })
})

function recordsOf(file: string): readonly Readonly<Record<string, string>>[] {
  const text = readFileSync(file, 'utf8')
  if (file.endsWith('.csv')) return parse(text, { columns: true })
  const lines = text.trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Record<string, string>)
}
