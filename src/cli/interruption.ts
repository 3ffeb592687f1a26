import type { ExitCode } from '../errors.ts'
import type { Runtime } from '../runtime.ts'

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** Where signals come from; `subscribe` returns the way out. */
export interface SignalSource {
  subscribe(listener: (signal: SignalName) => void): () => void
}

/** What the user or the system asked by signals: first to stop, then to abandon what is in flight. */
export interface Interruption {
  /** Aborts at the first signal: take no more rows, finish those in flight. */
  readonly stop: AbortSignal
  /** Aborts at the second: at once. */
  readonly abandon: AbortSignal
  /** The first signal, or `null`. */
  received(): SignalName | null
  dispose(): void
}

/** One press of Ctrl-C reaches a process twice when it runs under `npx`, which passes on what the terminal has sent already. */
const SAME_PRESS_MS = 100
const ABANDON_GRACE_MS = 5000

interface Surroundings {
  readonly signals: SignalSource
  readonly runtime: Runtime
  /** Ends the process at once. */
  readonly exit: (code: ExitCode) => void
}

/**
 * Listens to signals until disposed. For a command that ends in order, the third signal, or five seconds after the second, ends the process;
 * for any other, the first.
 */
export function createInterruption({ signals, runtime, exit }: Surroundings, inOrder: boolean): Interruption {
  const stop = new AbortController()
  const abandon = new AbortController()
  let first: SignalName | null = null
  let lastMs = Number.NEGATIVE_INFINITY
  let cancelGrace: () => void = () => undefined
  const unsubscribe = signals.subscribe((signal) => {
    const nowMs = runtime.elapsed()
    if (nowMs - lastMs < SAME_PRESS_MS) return
    lastMs = nowMs
    if (first === null) {
      first = signal
      stop.abort(new Error(signal))
      if (!inOrder) exit(signalExitCode(signal))
    } else if (!abandon.signal.aborted) {
      abandon.abort(new Error(signal))
      const code = signalExitCode(first)
      cancelGrace = runtime.after(ABANDON_GRACE_MS, () => exit(code))
    } else {
      exit(signalExitCode(first))
    }
  })
  return Object.freeze({
    stop: stop.signal,
    abandon: abandon.signal,
    received: () => first,
    dispose: () => {
      unsubscribe()
      cancelGrace()
    },
  })
}

/** 130 after SIGINT; 143 after SIGTERM, or when the terminal went away. */
export function signalExitCode(signal: SignalName): ExitCode {
  return signal === 'SIGINT' ? 130 : 143
}

/** Whether an error only says that the work was stopped by a signal. */
export function isInterruption(error: unknown, interruption: Interruption): boolean {
  if (!(error instanceof Error)) return false
  const reasons = [interruption.stop.reason, interruption.abandon.reason]
  return error.name === 'AbortError' || reasons.includes(error) || isInterruption(error.cause, interruption)
}
