import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const CHILD = join(import.meta.dirname, 'kill-child.ts')

/** Runs the intake's child to its end, or kills it -9 behind a segment. Returns its last line. */
export async function runIntakeChild(
  dir: string,
  killBehind: number | null,
  from: { readonly source?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const argv = [CHILD, dir, String(killBehind), ...(from.source === undefined ? [] : [from.source])]
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...from.env },
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    if (line === `segment ${killBehind}`) child.kill('SIGKILL')
  }
  await exited
  return last
}
