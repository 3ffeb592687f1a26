import { type ChildProcess, spawn } from 'node:child_process'

const BIN = new URL('../../bin/sluice.js', import.meta.url).pathname

/** A `sluice` command that runs in a process of its own. */
export interface SluiceProcess {
  readonly child: ChildProcess
  /** All that was written so far. */
  stdout(): string
  stderr(): string
  /** Resolves when the process has ended, with its exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>
}

/** Starts `sluice …` as a user would, with the given environment on top of a clean one. */
export function startSluice(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): SluiceProcess {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))
  })
  return { child, stdout: () => stdout, stderr: () => stderr, ended }
}

/** Runs `sluice …` to its end. */
export async function sluice(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly code: number | NodeJS.Signals; readonly stdout: string; readonly stderr: string }> {
  const running = startSluice(args, options)
  const code = await running.ended
  return { code, stdout: running.stdout(), stderr: running.stderr() }
}

/** Resolves as soon as `condition` holds; rejects when it does not within `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 60_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
