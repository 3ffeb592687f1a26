import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../../config.ts'
import type { AnyWork, WorkerStatus } from '../../engine.ts'
import { type ExitCode, SluiceError } from '../../errors.ts'
import type { HttpDeps } from '../../http/http-deps.ts'
import type { RunningServer } from '../../http/server.ts'
import { readServeConfig, type ServeSources } from '../../serve-config/read.ts'
import type { ServeConfig } from '../../serve-config.ts'
import type { Service } from '../../service.ts'
import { DEFAULT_TENANT } from '../../store/store.ts'
import { askedByVariables } from '../../telemetry/asked-by-variables.ts'
import type { Log } from '../../telemetry/log.ts'
import { wholeNumber } from '../arguments.ts'
import type { CommandContext, Launch } from '../context.ts'
import { counted } from '../figures.ts'
import { signalExitCode } from '../interruption.ts'

interface ServeFlags {
  readonly port?: number
  readonly host?: string
  readonly config?: string
  readonly work: boolean
}

/** `sluice serve`: the HTTP API, and a worker in the same process, until told to stop. */
export function addServeCommand(program: Command, launch: Launch): void {
  program
    .command('serve')
    .description('serve the HTTP API, and work on jobs')
    .option('--port <n>', 'the port to listen on; 0: any free one (default: 4777)', wholeNumber)
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option('--config <file>', 'how the server behaves (default: SLUICE_SERVE_CONFIG)')
    .option('--no-work', 'leave jobs to `sluice worker`')
    .action((flags: ServeFlags) => launch((context) => serve(context, flags), { stdout: 'data', endsInOrder: true }))
}

async function serve(context: CommandContext, flags: ServeFlags): Promise<ExitCode> {
  const { config: surroundings, deps, interruption } = context
  const config = readServeConfig({
    file: await configFile(flags.config ?? surroundings.env('SLUICE_SERVE_CONFIG'), surroundings),
    env: surroundings.env,
    flags: { host: flags.host, port: flags.port, ...(!flags.work && { work: false as const }) },
  })
  // A second of loading that the other commands need not wait for.
  const [{ createApp }, { startServer }, { createLog }, { openTelemetry }] = await Promise.all([
    import('../../http/app.ts'),
    import('../../http/server.ts'),
    import('../../telemetry/log.ts'),
    import('../../telemetry/open.ts'),
  ])
  const log = createLog(deps.stderr, deps.runtime, logLevel(surroundings))
  const service = await deps.openService(surroundings, config.allowance)
  const { runtime, version } = deps
  const seen: { worker: WorkerStatus | null } = { worker: null }
  const telemetry = openTelemetry({
    config: config.telemetry,
    asked: askedByVariables(surroundings.env),
    service,
    runtime,
    version,
    log,
    worker: () => seen.worker,
  })
  try {
    const http: HttpDeps = {
      service,
      config,
      runtime,
      version,
      env: surroundings.env,
      telemetry,
      stopping: interruption.stop,
    }
    const server = await startServer(await createApp(http), http)
    log.info({ url: server.url, public_url: config.publicUrl ?? undefined, version }, `listening on ${server.url}`)
    const onStatus = (status: WorkerStatus) => {
      seen.worker = status
    }
    return await run({ context, config, service, server, log, onStatus })
  } finally {
    await telemetry.close()
    await service.close()
  }
}

interface Running {
  readonly context: CommandContext
  readonly config: ServeConfig
  readonly service: Service
  readonly server: RunningServer
  readonly log: Log
  readonly onStatus: (status: WorkerStatus) => void
}

/** Until a signal comes, or the work in this process comes to an end that nobody asked for. */
async function run({ server, ...running }: Running): Promise<ExitCode> {
  const { context, config, log } = running
  const { interruption } = context
  const worker = await startWorker(running)
  const failed = await Promise.race([stopped(interruption.stop), worker?.done.then(ended, ended) ?? never()])
  if (failed !== null) log.fatal({ err: failed }, `the worker in this process has ended: ${failed.message}`)
  else log.info(`stopping: what is under way may take ${config.drainMs / 1000} s; a second signal ends it`)
  const [cut] = await Promise.all([server.drain(interruption.abandon), worker?.done.catch(() => undefined)])
  log.info({ cut }, `stopped; ${counted(cut, 'connection')} had to be cut`)
  if (failed !== null) return 1
  const signal = interruption.received()
  // To stop when asked is what a server is for; only who was hurried has left something undone.
  return signal !== null && interruption.abandon.aborted ? signalExitCode(signal) : 0
}

async function startWorker({
  context,
  config,
  service,
  log,
  onStatus,
}: Omit<Running, 'server'>): Promise<AnyWork | null> {
  const { interruption } = context
  if (config.work === null) return null
  // Any tenant's engine works for all.
  return service.engine(DEFAULT_TENANT).workAny({
    ...config.work,
    drainMs: config.drainMs,
    signal: interruption.stop,
    abandon: interruption.abandon,
    onStatus,
    onNote: (note) => log.warn(note),
  })
}

function ended(outcome: unknown): Error {
  return outcome instanceof Error ? outcome : new Error('it left')
}

function stopped(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

async function configFile(name: string | undefined, { cwd }: Config): Promise<ServeSources['file']> {
  if (name === undefined) return null
  try {
    return { name, text: await readFile(resolve(cwd, name), 'utf8') }
  } catch (error) {
    throw new SluiceError('config_invalid', `${name} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** Requests are told of unless somebody wants fewer lines. */
function logLevel({ env, logLevel }: Config): Config['logLevel'] {
  return env('SLUICE_LOG_LEVEL') === undefined ? 'info' : logLevel
}
