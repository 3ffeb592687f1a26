import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CAUSE_RULES, CAUSES, type RetryRule } from '../src/domain/failure.ts'
import { ERRORS } from '../src/errors.ts'

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')

const RETRY_WORDS: Readonly<Record<RetryRule, string>> = {
  free: 'again, uses up nothing',
  retries: 'again, uses up `retries`',
  on_invalid: 'again, uses up `on_invalid.attempts`',
  never: 'no',
  pause: 'pauses the job',
}

/** The lines of the table under a heading. */
function tableUnder(heading: string): readonly string[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  return section.split('\n').filter((line) => line.startsWith('|'))
}

describe('docs/errors.md', () => {
  it('lists every error of the code, and no other, as the code has it', () => {
    const rows = Object.entries(ERRORS).map(
      ([code, kind]) => `| \`${code}\` | ${kind.title} | ${kind.hint} | ${kind.exitCode} | ${kind.httpStatus} |`,
    )
    expect(tableUnder('Errors')).toEqual([
      '| code | what happened | what to do | exit | HTTP |',
      '|---|---|---|---|---|',
      ...rows,
    ])
  })

  it('lists every cause of the code, and no other, as the code has it', () => {
    const rows = CAUSES.map((cause) => {
      const { level, retry, meaning, advice } = CAUSE_RULES[cause]
      return `| \`${cause}\` | ${level} | ${meaning} | ${RETRY_WORDS[retry]} | ${advice.replaceAll('|', '\\|')} |`
    })
    expect(tableUnder('Causes')).toEqual([
      '| cause | level | what it means | asked again? | what to do |',
      '|---|---|---|---|---|',
      ...rows,
    ])
  })
})
