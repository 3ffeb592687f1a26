import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { jobFolder } from '../scenario/job-folder.ts'
import { startServer } from '../scenario/server.ts'

const run = promisify(execFile)

it('examples/http/run.sh does what it says, with a server as anybody starts it', async () => {
  const folder = await jobFolder()
  const { url } = await startServer(folder, '{}')
  const script = new URL('../../examples/http/run.sh', import.meta.url).pathname
  const env = { PATH: process.env.PATH, SLUICE_URL: url, OUT: folder.dir }
  const { stdout } = await run('sh', [script], { env })
  const said = new RegExp(
    [
      'created    job_\\S+',
      'uploaded   \\d+ bytes',
      'streamed   300 rows',
      'stopped    (\\d+) of 10003 rows were done',
      'completed  10003 rows, \\$[\\d.]+: .*segments\\.csv',
    ].join('\n'),
  ).exec(stdout)
  expect(said, stdout).not.toBeNull()
  const done = Number(said?.[1])
  expect(done).toBeLessThan(10_003)

  const lines = (name: string) => readFileSync(join(folder.dir, name), 'utf8').trimEnd().split(/\r?\n/)
  const isAnswered = (line: string) => /,(small|mid|large),/.test(line)
  expect(lines('first.ndjson')).toHaveLength(300)
  expect(lines('early.csv').filter(isAnswered)).toHaveLength(done)
  const [head, ...rows] = lines('segments.csv')
  expect(head).toMatch(/^id,company,employees,segment,confidence,/)
  expect(rows.map((line) => line.split(',')[0])).toEqual(Array.from({ length: 10_003 }, (_, at) => `c${at + 1}`))
  expect(rows.filter(isAnswered)).toHaveLength(10_003)
}, 300_000)
