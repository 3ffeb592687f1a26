import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { createAtOnce } from '../../src/engine/at-once.ts'
import { createPassingFiles } from '../../src/engine/passing-files.ts'

const NEVER = new AbortController().signal

describe('passing files', () => {
  it('are made once for all who ask before they are begun, and anew for those who come later', async () => {
    const made = makings()
    const files = createPassingFiles(createAtOnce(1), 4)
    const first = textOf(files.read('a', made.write, NEVER))
    await made.begun(1)
    // The one place is taken: these two wait, and share.
    const second = textOf(files.read('a', made.write, NEVER))
    const third = textOf(files.read('a', made.write, NEVER))
    const other = textOf(files.read('b', made.write, NEVER))
    made.goOn()
    expect(await Promise.all([first, second, third, other])).toEqual(['file 1', 'file 2', 'file 2', 'file 3'])
    expect(made.paths.some((path) => existsSync(path))).toBe(false)
  })

  it('stay until the last of their readers has them', async () => {
    const made = makings()
    made.goOn()
    const files = createPassingFiles(createAtOnce(1), 4)
    const [slow, fast] = [files.read('a', made.write, NEVER), files.read('a', made.write, NEVER)]
    const [head, all] = await Promise.all([slow.next(), textOf(fast)])
    expect([String(head.value), all]).toEqual(['file', 'file 1'])
    expect(existsSync(made.paths[0] as string)).toBe(true)
    expect(await textOf(slow)).toBe(' 1')
    expect(existsSync(made.paths[0] as string)).toBe(false)
  })

  it('are not made any further when all have left, and go on while one is there', async () => {
    const made = makings()
    const files = createPassingFiles(createAtOnce(1), 4)
    const [left, leaves] = [new AbortController(), new AbortController()]
    const stays = textOf(files.read('a', made.write, NEVER))
    const gone = textOf(files.read('a', made.write, left.signal))
    const alone = textOf(files.read('b', made.write, leaves.signal))
    const rejected = expect(alone).rejects.toThrow('left')
    await made.begun(1)
    left.abort(new Error('left'))
    leaves.abort(new Error('left'))
    expect(made.signals[0]?.aborted).toBe(false)
    made.goOn()
    expect(await stays).toBe('file 1')
    await gone.catch(() => undefined)
    await rejected
    expect(made.paths).toHaveLength(1)
  })

  it('are asked for anew after one could not be made', async () => {
    const files = createPassingFiles(createAtOnce(1), 4)
    const fails = async () => {
      throw new Error('the disk is full')
    }
    await expect(textOf(files.read('a', fails, NEVER))).rejects.toThrow('the disk is full')
    const made = makings()
    made.goOn()
    expect(await textOf(files.read('a', made.write, NEVER))).toBe('file 1')
  })
})

/** Files that say the how many they are, and are finished when they may be. */
function makings() {
  const paths: string[] = []
  const signals: AbortSignal[] = []
  const gate = Promise.withResolvers<void>()
  return {
    paths,
    signals,
    goOn: () => gate.resolve(),
    async begun(count: number) {
      while (paths.length < count) await new Promise((resolve) => setImmediate(resolve))
    },
    async write(path: string, signal: AbortSignal) {
      const number = paths.push(path)
      signals.push(signal)
      await gate.promise
      signal.throwIfAborted()
      await writeFile(path, `file ${number}`)
    },
  }
}

async function textOf(blocks: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const block of blocks) text += block.toString()
  return text
}
