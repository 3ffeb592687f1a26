import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXPECTED, NO_LIVE_REPLY } from './recordings-expected.ts'
import { ask, replyOf, summary } from './replay.ts'

const root = join(import.meta.dirname, '../../../shared/data/recordings')
const found = existsSync(root)
const files = ['single', 'reported'].flatMap((folder) =>
  found ? readdirSync(join(root, folder)).map((file) => `${folder}/${file}`) : [],
)

interface Recording {
  readonly response: {
    readonly status: number | string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string | null
  }
}

function read(file: string): Recording {
  return JSON.parse(readFileSync(join(root, file), 'utf8')) as Recording
}

async function replay(file: string, api: string) {
  const { status, headers, body } = read(file).response
  return ask(`${api}/recorded`, replyOf(Number(status), body ?? '', headers))
}

describe.skipIf(!found)(
  `recorded replies (${found ? files.length : 'skipped: ../shared/data/recordings is not here'})`,
  () => {
    it('are all listed, and no others', () => {
      expect([...Object.keys(EXPECTED), ...NO_LIVE_REPLY].sort()).toEqual([...files].sort())
    })

    it.each(NO_LIVE_REPLY)('%s is no reply to a live request', (file) => {
      expect(read(file).response.status).not.toBeTypeOf('number')
    })

    it.each(Object.entries(EXPECTED))('%s', async (file, [api, expected]) => {
      expect(summary(await replay(file, api))).toBe(expected)
    })

    it('never show a key', async () => {
      const failures = Object.entries(EXPECTED).filter(([, [, expected]]) => expected.includes('credentials'))
      for (const [file, [api]] of failures) {
        const completion = await replay(file, api)
        const message = completion.ok ? '' : completion.failure.message
        expect(message, file).not.toMatch(/sk-|mocked-key|not-a-r|bad-key|invalid-key|\*\*\*\*/)
        expect(message.length, file).toBeLessThanOrEqual(300)
      }
    })
  },
)
