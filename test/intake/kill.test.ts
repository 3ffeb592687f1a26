import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'

const CHILD = join(import.meta.dirname, 'kill-child.ts')

/** Runs the child to its end, or kills it -9 behind a segment. Returns its last line. */
async function run(dir: string, killBehind: number | null): Promise<string> {
  const child = spawn(process.execPath, [CHILD, dir, String(killBehind)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    if (line === `segment ${killBehind}`) child.kill('SIGKILL')
  }
  await exited
  return last
}

it('an intake that is killed -9 goes on where it was, on the real store, and comes to the same end', async () => {
  const dirs = await Promise.all([0, 1].map(() => mkdtemp(join(tmpdir(), 'sluice-kill-'))))
  onTestFinished(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))).then(() => undefined))
  const [plain = '', killed = ''] = dirs
  const rows = Array.from({ length: 120_000 }, (_, row) => `k${row},"${'text '.repeat(80)}\r\n${row}",x\r\n`)
  for (const dir of dirs) await writeFile(join(dir, 'input.csv'), `id,text,more\r\n${rows.join('')}`)

  const whole = JSON.parse(await run(plain, null)) as { rows: number; chunks: unknown[] }
  expect(whole.rows).toBe(120_000)
  expect(whole.chunks.length).toBe(600)
  expect(await run(killed, 0)).toBe('segment 0')
  expect(await run(killed, 2)).toBe('segment 2')
  expect(JSON.parse(await run(killed, null))).toStrictEqual(whole)
}, 120_000)
