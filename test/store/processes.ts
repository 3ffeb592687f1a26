import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A child process of a test that says what it does line by line. */
export interface Told {
  readonly child: ChildProcess
  /** All lines so far. */
  readonly lines: readonly string[]
  /** Resolves with the next line that was not waited for yet and starts with `prefix`. Rejects when the process ends first. */
  line(prefix: string): Promise<string>
  /** Writes a line to its standard input. */
  say(line: string): void
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** Starts a TypeScript file of this folder's tests under the Node that runs the test. */
export function start(url: URL, ...args: readonly string[]): Told {
  const child = spawn(process.execPath, [fileURLToPath(url), ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  let seen = 0
  let wake: () => void = () => undefined
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line)
    wake()
  })
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  let over = false
  ended.then(
    () => {
      over = true
      wake()
    },
    () => undefined,
  )
  return {
    child,
    lines,
    ended,
    async line(prefix) {
      for (;;) {
        const index = lines.findIndex((line, n) => n >= seen && line.startsWith(prefix))
        if (index >= 0) {
          seen = index + 1
          return lines[index] as string
        }
        if (over) throw new Error(`the process ended without saying ${JSON.stringify(prefix)}: ${lines.join('\n')}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    say: (line) => void child.stdin!.write(`${line}\n`),
  }
}
