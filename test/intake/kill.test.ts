import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { runIntakeChild } from './intake-child.ts'

it('an intake that is killed -9 goes on where it was, on the real store, and comes to the same end', async () => {
  const dirs = await Promise.all([0, 1].map(() => mkdtemp(join(tmpdir(), 'sluice-kill-'))))
  onTestFinished(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))).then(() => undefined))
  const [plain = '', killed = ''] = dirs
  const rows = Array.from({ length: 120_000 }, (_, row) => `k${row},"${'text '.repeat(80)}\r\n${row}",x\r\n`)
  for (const dir of dirs) await writeFile(join(dir, 'input.csv'), `id,text,more\r\n${rows.join('')}`)

  const whole = JSON.parse(await runIntakeChild(plain, null)) as { rows: number; chunks: unknown[] }
  expect(whole.rows).toBe(120_000)
  expect(whole.chunks.length).toBe(600)
  expect(await runIntakeChild(killed, 0)).toBe('segment 0')
  expect(await runIntakeChild(killed, 2)).toBe('segment 2')
  expect(JSON.parse(await runIntakeChild(killed, null))).toStrictEqual(whole)
}, 120_000)
