import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFileBlob } from '../../src/blob/file.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { blobConformance } from '../conformance/blob.ts'
import { collect } from './collect.ts'

blobConformance('files', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-blob-'))
  return {
    blob: openFileBlob({ dir: join(dir, 'not', 'yet', 'there') }),
    reopen: async () => openFileBlob({ dir: join(dir, 'not', 'yet', 'there') }),
    close: () => rm(dir, { recursive: true }),
  }
})

describe('blobs as files', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sluice-blob-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  it('never lists what a process that died left half written, and removes it with its folder', async () => {
    const blob = openFileBlob({ dir })
    await blob.put('jobs/job_1/s/0', Buffer.from('x'))
    await (await openFileBlob({ dir }).writer('jobs/job_1/s/1')).write(Buffer.from('half'))
    expect(await collect(blob.list(''))).toStrictEqual(['jobs/job_1/s/0'])
    await blob.removeAll('jobs/job_1/')
    expect(await readdir(join(dir, 'jobs'))).toStrictEqual([])
  })

  it('keeps files that are none of its own', async () => {
    await mkdir(join(dir, 'jobs'))
    await writeFile(join(dir, 'jobs', 'My notes.txt'), 'mine')
    const blob = openFileBlob({ dir })
    await blob.put('jobs/a', Buffer.from('a'))
    expect(await collect(blob.list(''))).toStrictEqual(['jobs/a'])
    await blob.removeAll('jobs/')
    expect(await readdir(join(dir, 'jobs'))).toStrictEqual(['My notes.txt'])
  })

  it('reports a disk that cannot be written as a failure of the storage', async () => {
    await writeFile(join(dir, 'jobs'), 'a file where a folder should be')
    await expect(openFileBlob({ dir }).put('jobs/a', Buffer.from('x'))).rejects.toBeInstanceOf(StorageFailure)
  })
})
