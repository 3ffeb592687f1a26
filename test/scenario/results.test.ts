import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type JobFolder, jobFolder, provider, ticketSpec, tickets } from './job-folder.ts'
import { until } from './sluice-process.ts'

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')
const parsed = (text: string) => linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>)

it('results may be read in the middle of a run, and followed: each row once', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--latency', '60ms')
  const rows = 400
  await folder.write('tickets.csv', tickets(rows))
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'execution: { chunk_rows: 20, concurrency: { max: 8 } }\n'))
  const running = folder.start('run', 'spec.yaml')
  await until(async () => (await folder.count("chunks where state = 'done'")) > 0, 'a chunk is done')
  const follower = folder.start('results', '--follow')
  const middle = parsed((await folder.run('results', '--json')).stdout)
  expect(middle.map((row) => row._row_index)).toEqual(Array.from({ length: rows }, (_, index) => index))
  const statuses = new Set(middle.map((row) => row._status))
  expect([...statuses].sort()).toEqual(['ok', 'pending'])
  for (const row of middle.filter(({ _status }) => _status === 'pending')) {
    expect(row).toMatchObject({ topic: null, _attempts: null })
  }
  expect(await running.ended, running.stderr()).toBe(0)
  expect(await follower.ended, follower.stderr()).toBe(0)
  const followed = parsed(follower.stdout()).map((row) => Number(row._row_index))
  expect(followed.sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, index) => index))
  expect(parsed(follower.stdout()).every((row) => row._status === 'ok')).toBe(true)
})

it('`write` puts the file beside the spec; `--only`, `--safe-csv` and `| head` do what they say', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder, '--refusal', '20%')
  const csv = `id,text\n${Array.from({ length: 60 }, (_, index) => `t${index},=1+${index} refund please`).join('\n')}\n`
  await folder.write('tickets.csv', csv)
  await folder.write('spec.yaml', ticketSpec(simulated.url, 'write: { path: out/labels.csv, include_input: false }\n'))
  const run = await folder.run('run', 'spec.yaml', '-o', 'all.jsonl')
  expect(run.code, run.stderr).toBe(0)
  const written = linesOf(await readFile(join(folder.dir, 'out/labels.csv'), 'utf8'))
  expect(written).toHaveLength(61)
  expect(written[0]).toMatch(/^topic,urgent,_row_id,/)
  const all = parsed(await readFile(join(folder.dir, 'all.jsonl'), 'utf8'))
  expect(all).toHaveLength(60)
  const failed = parsed((await folder.run('results', '--only', 'failed', '--json')).stdout)
  expect(failed).toEqual(all.filter((row) => row._status === 'failed'))
  expect(failed.length).toBeGreaterThan(0)
  const plain = (await folder.run('results')).stdout
  expect(plain).toContain('t0,=1+0 refund please,')
  const safe = (await folder.run('results', '--safe-csv')).stdout
  expect(safe).toContain("t0,'=1+0 refund please,")
  const head = await firstLine(folder)
  expect(head).toEqual({ line: linesOf(plain)[0], code: 0, stderr: expect.not.stringMatching(/EPIPE|Error/) })
})

/** `sluice results | head -1`, with the exit code of `sluice`. */
async function firstLine(folder: JobFolder) {
  const bin = new URL('../../bin/sluice.js', import.meta.url).pathname
  const script = `"${process.execPath}" "${bin}" results | head -1; exit \${PIPESTATUS[0]}`
  const shell = spawn('bash', ['-c', script], {
    cwd: folder.dir,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...folder.env },
  })
  let line = ''
  let stderr = ''
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    line += text
  })
  shell.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const code = await new Promise<number | null>((resolve) => shell.on('close', resolve))
  return { line: line.trimEnd(), code, stderr }
}

it('an output that cannot be written is said with its path, and the results are still there', async () => {
  const folder = await jobFolder()
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(5))
  await folder.write('file', 'in the way')
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const run = await folder.run('run', 'spec.yaml', '-o', 'file/labels.csv')
  expect(run.code, run.stderr).toBe(1)
  expect(run.stderr).toContain('file/labels.csv')
  expect(existsSync(join(folder.dir, 'file/labels.csv'))).toBe(false)
  const written = await folder.run('results', '-o', 'labels.parquet')
  expect(written.code, written.stderr).toBe(0)
  expect((await readFile(join(folder.dir, 'labels.parquet'))).subarray(0, 4).toString()).toBe('PAR1')
  expect(simulated.requests()).toHaveLength(5)
})
