import { describe, expect, it } from 'vitest'
import { checkPrefix } from '../../src/plan/check-prefix.ts'
import { newReport } from '../../src/spec/positions.ts'
import { readYaml } from '../../src/spec/read-yaml.ts'
import { lines } from '../spec/spec-folder.ts'

const RULES = 'Use only the values that are allowed. '

function warnings(system: string, user: string): string[] {
  const text = `version: 1\nprompt:\n  system: ${JSON.stringify(system)}\n  user: |\n    ${user.replaceAll('\n', '\n    ')}\n`
  const report = newReport(readYaml(text, 's.yaml').positions)
  checkPrefix({ prompt: { system, user: `${user}\n` } }, report)
  return lines(report.findings)
}

describe('a prompt whose fixed text stands after the row', () => {
  it('is warned of at the first name of the row', () => {
    expect(warnings('Label it.', `Ticket:\n  {{ subject }}\n${RULES.repeat(120)}`)).toEqual([
      expect.stringMatching(
        /^warning s\.yaml:6:10 4562 bytes of fixed text stand after subject: the provider's prompt cache cannot keep them \| Put fixed text first/,
      ),
    ])
  })

  it('is warned of where the system prompt names a column', () => {
    expect(warnings('About {{ subject }}.', `${RULES.repeat(120)}{{ body }}`)).toEqual([
      expect.stringMatching(/^warning s\.yaml:3:21 prompt\.system names subject: of 4562 bytes of fixed text after it/),
    ])
  })

  it.each([
    ['a long text that comes first', RULES.repeat(200), '{{ subject }} and {{ body }}'],
    ['short ones, which no provider keeps', 'Label it.', `{{ subject }}\n${RULES.repeat(20)}`],
    ['a long one of vars and text alone', 'Be {{ vars.tone }}.', RULES.repeat(200)],
    ['a long beginning, with a few words after the row', RULES.repeat(200), '{{ subject }} Answer now.'],
  ])('says nothing of %s', (_, system, user) => {
    expect(warnings(system, user)).toEqual([])
  })
})
