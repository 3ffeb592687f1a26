import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { CliDeps } from '../../src/cli/context.ts'
import type { SignalName } from '../../src/cli/interruption.ts'
import { createProgram } from '../../src/cli/program.ts'
import { readConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine.ts'
import type { ExitCode } from '../../src/errors.ts'
import type { Runtime } from '../../src/runtime.ts'
import { CREATED_MS, fakeEngine } from './fake-engine.ts'

/** A stream in memory that may claim to be a terminal, and may lose its reader. */
export class MemoryStream extends Writable {
  readonly columns: number | undefined
  readonly isTTY: boolean
  text = ''
  /** Writes fail with EPIPE once this much was taken. */
  closesAfter = Number.POSITIVE_INFINITY

  constructor(terminalColumns: number | null) {
    super({ decodeStrings: false, emitClose: false })
    this.isTTY = terminalColumns !== null
    this.columns = terminalColumns ?? undefined
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.text.length >= this.closesAfter) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      return
    }
    this.text += chunk
    done()
  }
}

/** A clock that moves only when it is told to. */
export function manualRuntime(): Runtime & { advance(ms: number): void } {
  let elapsedMs = 0
  const timers: { atMs: number; callback: () => void }[] = []
  return {
    now: () => CREATED_MS + 41_000 + elapsedMs,
    elapsed: () => elapsedMs,
    sleep: async () => undefined,
    after: (ms, callback) => {
      const timer = { atMs: elapsedMs + ms, callback }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer) >>> 0, 1)
    },
    random: () => 0.5,
    uuid: () => '01934f5e-0000-7000-8000-000000000000',
    advance: (ms) => {
      elapsedMs += ms
      for (const timer of timers.filter((each) => each.atMs <= elapsedMs)) {
        timers.splice(timers.indexOf(timer), 1)
        timer.callback()
      }
    },
  }
}

interface Setting {
  /** Columns of a terminal; `null`: piped. Default: piped. */
  readonly tty?: number | null
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly more?: Partial<CliDeps>
}

/** A command line in process, over an engine of canned answers. */
export function cli(verbs: Partial<Engine>, setting: Setting = {}) {
  const stdout = new MemoryStream(setting.tty ?? null)
  const stderr = new MemoryStream(setting.tty ?? null)
  const runtime = manualRuntime()
  const { engine, calls } = fakeEngine(verbs)
  const exits: ExitCode[] = []
  const listeners = new Set<(signal: SignalName) => void>()
  const loadListeners = new Set<(change: 'more' | 'less') => void>()
  const cwd = setting.cwd ?? '/work'
  const program = createProgram({
    openEngine: async () => engine,
    openService: async () => {
      throw new Error('no service in this test')
    },
    startSimulator: async () => {
      throw new Error('no simulator in this test')
    },
    readConfig: (flags) => readConfig(flags, { NO_COLOR: '1', ...setting.env }, cwd),
    stdout,
    stderr,
    signals: {
      subscribe: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    loadSignals: (listener) => {
      loadListeners.add(listener)
      return () => loadListeners.delete(listener)
    },
    migrate: async () => ({ what: 'The database', steps: 0 }),
    exit: (code) => void exits.push(code),
    runtime,
    version: '0.1.0',
    packageDir: fileURLToPath(new URL('../..', import.meta.url)),
    ...setting.more,
  })
  return {
    run: (...argv: string[]) => program.run(argv),
    out: () => stdout.text,
    err: () => stderr.text,
    /** Lines on stdout, parsed. */
    events: () => {
      const lines = stdout.text.split('\n')
      if (lines.pop() !== '') throw new Error('stdout does not end in a line break')
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    /** A signal, as from the terminal; 1 s later than the one before. */
    signal: (name: SignalName) => {
      runtime.advance(1000)
      for (const listener of listeners) listener(name)
    },
    /** The same signal once more, without time passing. */
    repeat: (name: SignalName) => {
      for (const listener of listeners) listener(name)
    },
    /** SIGTTIN or SIGTTOU. */
    load: (change: 'more' | 'less') => {
      for (const listener of loadListeners) listener(change)
    },
    listening: () => listeners.size + loadListeners.size,
    stdout,
    runtime,
    calls,
    exits,
  }
}
