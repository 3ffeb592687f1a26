import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { bothSums, queuedJob } from '../conformance/store-fixture.ts'
import { start } from './processes.ts'

const KILLS = 12
const PER_GROUP = 40
const GROUPS = 400

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-kill-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

it('loses no committed group and tears none when its process is killed, again and again', {
  timeout: 120_000,
}, async () => {
  const path = join(dir, 'sluice.db')
  const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 0 })
  const { jobNo } = await queuedJob(store, [GROUPS * PER_GROUP])
  const committed = new Set<number>()
  for (let kill = 0; kill < KILLS; kill += 1) {
    const told = start(new URL('groups.main.ts', import.meta.url), path, String(jobNo), String(PER_GROUP))
    // At another place in the work each time, in the middle of whatever it does then.
    for (let groups = 0; groups <= kill % 5; groups += 1) await told.line('committed')
    told.child.kill('SIGKILL')
    expect(await told.ended).toBe('SIGKILL')
    for (const line of told.lines) committed.add(Number(line.split(' ')[1]))

    const ended = await store.rows.ended(jobNo, 0, GROUPS * PER_GROUP)
    for (let group = 0; group < GROUPS; group += 1) {
      const rows = Array.from({ length: PER_GROUP }, (_, n) => ended.has(group * PER_GROUP + n))
      expect(new Set(rows).size, `group ${group} is torn`).toBe(1)
      if (committed.has(group)) expect(rows[0], `group ${group} is lost`).toBe(true)
    }
    const { counters, ledger } = await bothSums(store, jobNo)
    expect(counters).toStrictEqual(ledger)
    expect((await store.jobs.progress(jobNo)).counters.succeeded).toBe(ended.size)
  }
  expect(committed.size).toBeGreaterThan(KILLS)
  await store.close()
  const file = new DatabaseSync(path, { readOnly: true })
  expect(file.prepare('pragma integrity_check').get()).toMatchObject({ integrity_check: 'ok' })
  file.close()
})

it('lets many processes open a directory that does not exist yet', async () => {
  const path = join(dir, 'new', 'sluice.db')
  const children = Array.from({ length: 4 }, () => start(new URL('open.main.ts', import.meta.url), path))
  expect(await Promise.all(children.map((told) => told.ended))).toStrictEqual([0, 0, 0, 0])
  const jobs = children.map((told) => told.lines[0])
  expect(new Set(jobs).size).toBe(1)
  expect(jobs[0]).toMatch(/^job_/)
})
