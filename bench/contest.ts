import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a contestant reports. */
export interface Score {
  readonly rows: number
  readonly ms: number
  readonly wholeMs?: number
  readonly peakMb: number
}

const here = (file: string) => new URL(file, import.meta.url).pathname

/** The first message of a child that has `key`. Rejects when the child ends first. */
export function message<T>(child: ChildProcess, key: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (value: unknown) => {
      if (typeof value !== 'object' || value === null || !(key in value)) return
      child.off('message', onMessage)
      resolve(value as T)
    }
    child.on('message', onMessage)
    child.on('exit', (code) => reject(new Error(`the child ended with ${code} before it said ${key}`)))
  })
}

/** Starts the instant provider in a process of its own. */
export async function startInstantServer(): Promise<{
  readonly port: number
  readonly child: ChildProcess
  stop(): void
}> {
  const child = fork(here('instant-server.ts'))
  const { port } = await message<{ port: number }>(child, 'port')
  return { port, child, stop: () => void child.kill() }
}

/** Runs one contestant to its end in a process of its own. */
export async function contestant(file: string, args: readonly (string | number)[]): Promise<Score> {
  const child = fork(here(file), args.map(String))
  const score = await message<Score>(child, 'rows')
  if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
  return score
}

/** A folder for one benchmark, removed at the end. */
export async function inTempDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'))
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] as number
}
