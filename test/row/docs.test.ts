import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CAUSES } from '../../src/domain/failure.ts'
import { analyseCondition, analyseTemplate } from '../../src/row/analyse.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/prompts.md'), 'utf8')
const blocks = (kind: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, 'gms'))].map((match) => (match[1] ?? '').trim())

describe('docs/prompts.md', () => {
  it('shows templates and conditions that compile', () => {
    const analyses = [
      ...blocks('liquid').map(analyseTemplate),
      ...[...blocks('liquid-condition'), ...blocks('liquid-check')].map(analyseCondition),
    ]
    expect(analyses).toHaveLength(3)
    for (const { variables, errors } of analyses) {
      expect(errors).toEqual([])
      expect(variables).not.toEqual([])
    }
  })

  it('says of every cause what it uses up', () => {
    const table = page.slice(page.indexOf('## What a failure uses up'))
    for (const cause of CAUSES) expect(table, cause).toContain(`\`${cause}\``)
  })
})
