import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readServeConfig } from '../../src/serve-config/read.ts'
import { serveReference } from '../../src/serve-config/reference.ts'

const docs = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

describe('docs/operations.md', () => {
  it('has every key of the configuration (else: node scripts/write-serve-config.ts)', () => {
    expect(docs).toContain(serveReference())
  })

  it('says of each what it is', () => {
    const rows = serveReference().split('\n')
    expect(rows.length).toBeGreaterThan(40)
    expect(rows.filter((row) => row.endsWith('|  |'))).toEqual([])
  })

  it('gives an example that is read', () => {
    const [example = ''] = [...docs.matchAll(/```yaml\n(public_url:[\s\S]*?)```/g)].map(([, text]) => text)
    const config = readServeConfig({
      file: { name: 'example.yaml', text: example },
      env: (name) => ({ METRICS_TOKEN: 'x' })[name],
      flags: {},
    })
    expect(config.publicUrl).toBe('https://sluice.example.com')
  })
})
