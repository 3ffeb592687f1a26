import { resolve } from 'node:path'
import type { Command } from 'commander'
import { NOTHING_ALLOWED } from '../../domain/allowance.ts'
import type { AnyWork, Engine, WorkerStatus } from '../../engine.ts'
import type { ExitCode } from '../../errors.ts'
import { DEFAULT_TENANT } from '../../store/store.ts'
import { durationMs, positiveInteger, wholeNumber } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { count, counted } from '../figures.ts'
import { type HealthFile, openHealthFile } from '../health-file.ts'
import { signalExitCode } from '../interruption.ts'
import { openOperationsPort, type PortFlags, type PortWanted, portWanted } from '../operations-port.ts'
import { createWorkerDisplay, workerEvent } from '../worker-display.ts'

interface WorkerFlags extends PortFlags {
  readonly concurrency?: number
  readonly chunks: number
  readonly healthFile?: string
  readonly untilIdle?: boolean
  readonly drain: number
}

const DEFAULT_CHUNKS = 5
/** As long as `run` takes. */
const DEFAULT_DRAIN_MS = 10_000
/** What one signal adds to the concurrency, or takes from it. */
const LOAD_STEP = 0.2

/** `sluice worker`: works on any job, together with others, until it is told to leave. */
export function addWorkerCommand(program: Command, launch: Launch): void {
  program
    .command('worker')
    .description('work on any job that is queued, until told to leave')
    .option('--concurrency <n>', 'the most rows in flight, over all jobs (default: as the jobs say)', positiveInteger)
    .option('--chunks <n>', 'the most chunks held at a time', positiveInteger, DEFAULT_CHUNKS)
    .option('--drain <time>', 'how long rows in flight may take to end: 30s, 2m (default: 10s)', durationMs)
    .option('--until-idle', 'leave when no job is left to be worked on')
    .option('--health-file <file>', 'touched whenever the database has heard of this worker')
    .option('--metrics-port <n>', 'serve /metrics, /livez and /readyz on this port; 0: any free one', wholeNumber)
    .option('--metrics-host <address>', 'on this address (default: 127.0.0.1)')
    .option('--metrics-token-env <name>', 'the variable with the token that /metrics asks for')
    .action((flags: WorkerFlags) => launch((context) => work(context, flags), { endsInOrder: true }))
}

async function work(context: CommandContext, flags: WorkerFlags): Promise<ExitCode> {
  const wanted = portWanted(flags, context.config)
  if (wanted === null) return workWith(context, flags, await context.engine(), () => undefined)
  return withPort(context, wanted, (engine, onStatus) => workWith(context, flags, engine, onStatus))
}

/** Works while operators can ask how it is. */
async function withPort(
  context: CommandContext,
  wanted: PortWanted,
  proceed: (engine: Engine, onStatus: (status: WorkerStatus) => void) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { deps, config } = context
  const service = await deps.openService(config, NOTHING_ALLOWED)
  try {
    const seen: { worker: WorkerStatus | null } = { worker: null }
    const close = await openOperationsPort(context, service, wanted, () => seen.worker)
    try {
      // Any tenant's engine works for all.
      return await proceed(service.engine(DEFAULT_TENANT), (status) => {
        seen.worker = status
      })
    } finally {
      await close()
    }
  } finally {
    await service.close()
  }
}

async function workWith(
  context: CommandContext,
  flags: WorkerFlags,
  engine: Engine,
  onSeen: (status: WorkerStatus) => void,
): Promise<ExitCode> {
  const { config, deps, events, interruption } = context
  const health = flags.healthFile === undefined ? null : openHealthFile(resolve(config.cwd, flags.healthFile))
  const display = createWorkerDisplay(context.output, deps.runtime)
  const seen: { status: WorkerStatus | null } = { status: null }
  const onStop = () => display.say('stopping: rows in flight finish; a second signal abandons them')
  interruption.stop.addEventListener('abort', onStop)
  let stopListening: () => void = () => undefined
  try {
    const worker = await engine.workAny({
      chunks: flags.chunks,
      concurrency: flags.concurrency ?? null,
      untilIdle: flags.untilIdle === true,
      drainMs: flags.drain ?? DEFAULT_DRAIN_MS,
      signal: interruption.stop,
      abandon: interruption.abandon,
      onStatus(status) {
        seen.status = status
        onSeen(status)
        if (display.show(status)) events.line(workerEvent(status, status.phase))
      },
      onBeat: () => touch(context, health),
      onNote(note) {
        display.say(note)
        events.note(note)
      },
    })
    stopListening = deps.loadSignals((change) => changeLoad(context, worker, seen.status, change, display.say))
    const last = await worker.done
    display.close()
    events.line(workerEvent(last, 'left'))
    context.output.say(`left after ${counted(last.rowsDone, 'row')}`)
    const signal = interruption.received()
    // To leave when asked is what a worker is for; only who was hurried has left something undone.
    return signal !== null && interruption.abandon.aborted ? signalExitCode(signal) : 0
  } finally {
    display.close()
    stopListening()
    interruption.stop.removeEventListener('abort', onStop)
    health?.remove()
  }
}

/** A fifth more or less than now; without a bound of its own, than what is in flight. */
function changeLoad(
  context: CommandContext,
  worker: AnyWork,
  status: WorkerStatus | null,
  change: 'more' | 'less',
  say: (text: string) => void,
): void {
  const bound = status?.concurrency ?? null
  if (bound === null && change === 'more') {
    say('more: this worker has no bound of its own; the jobs and their providers decide')
    return
  }
  const from = Math.max(1, bound ?? status?.inFlight ?? 1)
  const to = change === 'more' ? Math.ceil(from * (1 + LOAD_STEP)) : Math.max(1, Math.floor(from * (1 - LOAD_STEP)))
  worker.setConcurrency(to)
  const note = `concurrency ${count(from)} -> ${count(to)}`
  say(note)
  context.events.note(note)
}

function touch(context: CommandContext, health: HealthFile | null): void {
  const trouble = health?.touch() ?? null
  if (trouble !== null) context.note(`the health file cannot be written: ${trouble}`)
}
