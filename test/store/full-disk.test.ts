import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import { claim, newJob, outcomeOf, queuedJob, record, T } from '../conformance/store-fixture.ts'

const MIB = 1024 * 1024
const ROWS = 2_000

describe.skipIf(!mayMount())('on a full disk (needs leave to mount a tmpfs)', () => {
  let disk: string
  let path: string
  beforeEach(() => {
    disk = mountDisk()
    path = join(disk, 'data', 'sluice.db')
  })
  afterEach(() => unmount(disk))

  it('keeps what was committed, and has room for the last rows and the pause', async () => {
    const store = await openSqliteStore({ path, runtime: systemRuntime() })
    const { jobNo } = await queuedJob(store, [ROWS])
    const held = await claim(store, jobNo, 0)
    const written = await writeUntilFull(store, held)
    expect(written).toBeGreaterThan(10)
    expect((await store.rows.ended(jobNo, 0, ROWS)).size).toBe(written)
    expect((await store.jobs.progress(jobNo)).counters.succeeded).toBe(written)

    await store.freeBallast()
    await record(store, held, { outcomes: [outcomeOf(written)] })
    const paused = { to: 'paused', reason: 'storage', atMs: T } as const
    expect(await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], paused))).toBe(true)

    await store.close()
    const again = await openSqliteStore({ path, runtime: systemRuntime() })
    expect(await again.jobs.getByNo(jobNo)).toMatchObject({ state: 'paused', reason: 'storage' })
    expect((await again.rows.ended(jobNo, 0, ROWS)).size).toBe(written + 1)
    await again.close()
  })

  it('leaves no half of a ballast where there is no room for it', async () => {
    const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 64 * MIB })
    expect((await store.jobs.create(newJob())).created).toBe(true)
    expect(existsSync(join(disk, 'data', 'ballast'))).toBe(false)
    await store.close()
  })

  it('says so when there is no room to begin with', async () => {
    try {
      for (let n = 0; ; n += 1) writeFileSync(join(disk, `filler ${n}`), Buffer.alloc(MIB))
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' })
    }
    const opening = openSqliteStore({ path, runtime: systemRuntime() })
    await expect(opening).rejects.toMatchObject({ code: 'storage', hint: expect.stringContaining('Free some space') })
  })
})

/** Rows of 20 kB, one at a time, until one is refused. */
async function writeUntilFull(store: SqliteStore, held: ChunkClaim): Promise<number> {
  for (let row = 0; row < ROWS; row += 1) {
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

function mountDisk(): string {
  const mountPoint = mkdtempSync(join(tmpdir(), 'sluice-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${16 * MIB}`, 'tmpfs', mountPoint], { stdio: 'ignore' })
    return mountPoint
  } catch (error) {
    rmdirSync(mountPoint)
    throw error
  }
}

function unmount(mountPoint: string): void {
  execFileSync('umount', [mountPoint])
  rmdirSync(mountPoint)
}

function mayMount(): boolean {
  try {
    unmount(mountDisk())
    return true
  } catch {
    return false
  }
}
