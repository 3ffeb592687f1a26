import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import { claim, outcomeOf, queuedJob, record, T } from '../conformance/store-fixture.ts'

const MIB = 1024 * 1024
const dir = smallDisk(16 * MIB)
afterAll(() => {
  if (dir === null) return
  execFileSync('umount', [dir])
  rmdirSync(dir)
})

it.skipIf(dir === null)(
  'keeps what was committed on a full disk, and has room for the pause (needs leave to mount a tmpfs)',
  async () => {
    const store = await openSqliteStore({ path: join(dir!, 'sluice.db'), runtime: systemRuntime() })
    const rows = 2_000
    const { jobNo } = await queuedJob(store, [rows])
    const held = await claim(store, jobNo, 0)
    const written = await writeUntilFull(store, held, rows)
    expect(written).toBeGreaterThan(10)
    expect(await store.probe()).toBe(false)
    expect((await store.rows.ended(jobNo, 0, rows)).size).toBe(written)
    expect((await store.jobs.progress(jobNo)).counters.succeeded).toBe(written)

    await store.freeBallast()
    expect(await store.probe()).toBe(true)
    await record(store, held, { outcomes: [outcomeOf(written)] })
    const paused = { to: 'paused', reason: 'storage', atMs: T } as const
    expect(await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], paused))).toBe(true)

    await store.close()
    const again = await openSqliteStore({ path: join(dir!, 'sluice.db'), runtime: systemRuntime() })
    expect(await again.jobs.getByNo(jobNo)).toMatchObject({ state: 'paused', reason: 'storage' })
    expect((await again.rows.ended(jobNo, 0, rows)).size).toBe(written + 1)
    await again.close()
  },
)

it.skipIf(dir === null)(
  'leaves no half of a ballast where there is no room for it (needs leave to mount a tmpfs)',
  async () => {
    const path = join(dir!, 'other', 'sluice.db')
    const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 64 * MIB })
    expect(await store.probe()).toBe(true)
    expect(existsSync(join(dir!, 'other', 'ballast'))).toBe(false)
    await store.close()
  },
)

/** Rows of 20 kB, one at a time, until one is refused. */
async function writeUntilFull(
  store: SqliteStore,
  held: Awaited<ReturnType<typeof claim>>,
  rows: number,
): Promise<number> {
  for (let row = 0; row < rows; row += 1) {
    try {
      await record(store, held, { outcomes: [outcomeOf(row, { output: JSON.stringify('x'.repeat(20_000)) })] })
    } catch (error) {
      expect(error).toBeInstanceOf(StorageFailure)
      expect(error).toMatchObject({ kind: 'full' })
      return row
    }
  }
  throw new Error('the disk never became full')
}

/** A file system of `bytes`; `null` where this process may not make one. */
function smallDisk(bytes: number): string | null {
  const mountPoint = mkdtempSync(join(tmpdir(), 'sluice-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', mountPoint], { stdio: 'ignore' })
    return mountPoint
  } catch {
    rmdirSync(mountPoint)
    return null
  }
}
