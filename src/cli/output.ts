import type { Config } from '../config.ts'
import { createStyle, type Style } from './style.ts'

/** What the command line needs of `process.stdout` and `process.stderr`. */
export type OutStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

/** The reader of stdout went away (EPIPE): nobody wants the rest. */
export class StdoutClosed extends Error {
  constructor() {
    super('stdout was closed')
    this.name = 'StdoutClosed'
  }
}

/** Where a command writes: data to stdout, everything else to stderr. */
export interface Output {
  /** `ndjson` when stdout is not a terminal or `--json` was given. */
  readonly mode: 'human' | 'ndjson'
  /** Whether a panel that redraws itself may be shown on stderr. */
  readonly live: boolean
  /** Columns of the terminal, 80 where it does not say. */
  width(): number
  /** For stdout. */
  readonly style: Style
  /** For stderr. */
  readonly sayStyle: Style
  /** Resolves when the text was taken by the reader; rejects with `StdoutClosed` when there is none any more. */
  data(text: string): Promise<void>
  /** A line, or several, on stderr. */
  say(text: string): void
  readonly stderr: OutStream
}

/** The output of one command. A closed stdout rejects `data`; a closed stderr is let be. */
export function createOutput(
  streams: { readonly stdout: OutStream; readonly stderr: OutStream },
  terminal: Config['terminal'],
  json: boolean,
): Output {
  const { stdout, stderr } = streams
  const interactive = stdout.isTTY === true && !json
  return Object.freeze({
    mode: interactive ? 'human' : 'ndjson',
    live: interactive && stderr.isTTY === true && !terminal.dumb && !terminal.ci,
    width: () => Math.max(20, (interactive ? stdout.columns : undefined) ?? stderr.columns ?? 80),
    style: createStyle(terminal.color && stdout.isTTY === true),
    sayStyle: createStyle(terminal.color && stderr.isTTY === true),
    data: (text: string) =>
      new Promise<void>((resolve, reject) => {
        stdout.write(text, (error) => (error ? reject(isClosed(error) ? new StdoutClosed() : error) : resolve()))
      }),
    say: (text: string) => {
      stderr.write(`${text}\n`)
    },
    stderr,
  })
}

function isClosed(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'EIO'
}
