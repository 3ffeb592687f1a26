import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const BIN = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-cli-'))
})
afterAll(() => rm(dir, { recursive: true }))

/** Runs the real command, everything piped. `onErr` hears stderr as it comes. */
function sluice(argv: readonly string[], onErr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void) {
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...argv], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    child.stdout.on('data', (text: Buffer) => {
      out += text
    })
    child.stderr.on('data', (text: Buffer) => {
      err += text
      onErr?.(err, (signal) => child.kill(signal))
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1) as string) as Record<string, unknown>

describe('the command as a process', () => {
  it('goes from init to a report, offline', { timeout: 60_000 }, async () => {
    expect((await sluice(['init'])).code).toBe(0)
    expect((await sluice(['check', 'tickets.yaml'])).code).toBe(0)
    const run = await sluice(['run', 'tickets.yaml', '-o', 'results.csv'])
    expect([run.code, run.err]).toEqual([0, expect.stringContaining('Wrote results.csv: 200 rows: 200 ok, 0 failed')])
    expect(lastLine(run.out)).toMatchObject({
      type: 'summary',
      state: 'completed',
      rows: { total: 200, succeeded: 200 },
    })
    expect((await readFile(join(dir, 'results.csv'), 'utf8')).split('\n')[0]).toMatch(
      /^ticket_id,.*,_cost_usd,_latency_ms\r?$/,
    )
    expect((await sluice(['failed'])).err).toContain('No row failed.')
    expect((await sluice(['report'])).out).toMatch(/^# PASS {2}200 of 200 rows/)
    const jobs = await sluice(['jobs'])
    expect(jobs.out.trimEnd().split('\n')).toHaveLength(2)
  })

  it('stops at SIGINT with 130, and resumes to the end', { timeout: 60_000 }, async () => {
    const rows = Array.from({ length: 800 }, (_, index) => `${index},Ticket number ${index} about my login`)
    await writeFile(join(dir, 'many.csv'), `id,body\n${rows.join('\n')}\n`)
    await writeFile(
      join(dir, 'many.yaml'),
      'version: 1\nname: many\ninput: { source: many.csv, key: id }\nmodel: { id: simulator/many }\nprompt: { user: "{{ body }}" }\noutput: { fields: { topic: "enum[login, other]" } }\n',
    )
    let asked = false
    const stopped = await sluice(['run', 'many.yaml'], (err, kill) => {
      if (asked || !err.includes('\nrunning')) return
      asked = true
      kill('SIGINT')
    })
    expect([stopped.code, stopped.err]).toEqual([
      130,
      expect.stringContaining('Nothing finished will be paid for again.'),
    ])
    const before = lastLine(stopped.out) as { job: string; rows: { succeeded: number } }
    expect(before.rows.succeeded).toBeLessThan(800)
    const resumed = await sluice(['resume', before.job])
    expect(resumed.code).toBe(0)
    expect(lastLine(resumed.out)).toMatchObject({ job: before.job, state: 'completed', rows: { succeeded: 800 } })
  })

  it('ends quietly when the reader of its output is gone', async () => {
    const child = spawn('sh', ['-c', `'${process.execPath}' '${BIN}' --help | head -1`], { cwd: dir })
    let err = ''
    child.stderr.on('data', (text: Buffer) => {
      err += text
    })
    await new Promise((resolve) => child.on('close', resolve))
    expect(err).toBe('')
  })
})
