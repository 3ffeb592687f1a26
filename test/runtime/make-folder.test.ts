import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { makeFolder } from '../../src/runtime.ts'

async function folder() {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-folder-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

it('makes a folder with those above it, and may be repeated, also at once', async () => {
  const root = await folder()
  for (let round = 0; round < 50; round++) {
    const path = join(root, String(round), 'a', 'b', 'c')
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)))
    await makeFolder(path)
    expect((await stat(path)).isDirectory()).toBe(true)
  }
})

it('says so where a file is in the way', async () => {
  const file = join(await folder(), 'file')
  await writeFile(file, '')
  await expect(makeFolder(file)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

it.runIf(process.platform === 'linux')('does not hang where a folder takes no others', async () => {
  await expect(makeFolder('/proc/sluice/below')).rejects.toMatchObject({ code: 'ENOENT' })
})
