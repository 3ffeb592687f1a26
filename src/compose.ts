import { hostname } from 'node:os'
import { join } from 'node:path'
import { createBatchApis } from './batch/apis.ts'
import { openFileBlob } from './blob/file.ts'
import type { Config, SharedState } from './config.ts'
import { type Allowance, NOTHING_ALLOWED } from './domain/allowance.ts'
import type { PriceSpec } from './domain/spec.ts'
import { StorageFailure } from './domain/storage-failure.ts'
import { createEngine } from './engine/create-engine.ts'
import type { EngineDeps } from './engine/engine-deps.ts'
import type { Engine } from './engine.ts'
import { SluiceError } from './errors.ts'
import { createEvents, type Events } from './events.ts'
import { createLiveLane } from './lane/live.ts'
import { createAdaptiveGovernor } from './limit/adaptive.ts'
import { createFleetShare } from './limit/fleet-share.ts'
import { limitedAccount } from './limit/flex-account.ts'
import { createOwnShare } from './limit/own-share.ts'
import type { Share } from './limit/share.ts'
import { createPost } from './notify/post.ts'
import { createModels } from './provider/registry.ts'
import { createTransport } from './provider/transport.ts'
import { createEmbeddedQueue } from './queue/embedded.ts'
import { openPresence } from './queue/presence.ts'
import { makeFolder, type Runtime } from './runtime.ts'
import { createService } from './service/create-service.ts'
import type { Service } from './service.ts'
import { simulatorFetch } from './simulator/fetch.ts'
import type { SimulatorOptions } from './simulator/options.ts'
import { DEFAULT_SIMULATED_PRICE } from './simulator/price.ts'
import { startSimulatorServer } from './simulator/server.ts'
import { createSimulator } from './simulator/simulator.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { DEFAULT_TENANT, type Store } from './store/store.ts'
import { writeParquet } from './table/write-parquet.ts'
import { askedByVariables } from './telemetry/asked-by-variables.ts'
import { STORAGE_PATIENCE_MS } from './worker/storage-guard.ts'

/** Concurrency of an account before its job has said what it wants (contract §6). */
const DEFAULT_CONCURRENCY = 64

/** How long an answer of the in-process simulator takes: long enough to see a panel move, short enough for a first minute. */
const SIMULATED_LATENCY = { medianMs: 120, p99Ms: 600 }

/**
 * Opens the engine of one process, over the data directory of this machine, which is created where it is missing, or over the database and the
 * object storage that many machines share. This is the one place that joins adapters. Throws SluiceError `storage` where state cannot be kept,
 * `store_version` where its tables and this sluice do not fit together, `usage` where an address is none.
 */
export async function openEngine(config: Config, runtime: Runtime, version: string): Promise<Engine> {
  return createEngine({ ...(await joinAdapters(config, NOTHING_ALLOWED, runtime, version)), tenantNo: DEFAULT_TENANT })
}

/** Opens what a server of many tenants works with, over the same. `allowance`: what specs that come over the network may name. Throws as `openEngine` does. */
export async function openService(
  config: Config,
  allowance: Allowance,
  runtime: Runtime,
  version: string,
): Promise<Service> {
  return createService(await joinAdapters(config, allowance, runtime, version))
}

async function joinAdapters(
  config: Config,
  allowance: Allowance,
  runtime: Runtime,
  version: string,
): Promise<Omit<EngineDeps, 'tenantNo'>> {
  const events = createEvents((name, error) => {
    // A listener that throws is a defect of ours: it must not be lost, and must not stop the work.
    process.emitWarning(error instanceof Error ? error : String(error), `listener of ${name}`)
  })
  const stopTelling = await tellAsAsked(config, events, runtime, version)
  const { close, ...state } = await openState(config, runtime, version)
  const transport = createTransport()
  const simulator = inProcessSimulator(runtime)
  const models = createModels({ env: config.env, runtime, transport, simulator })
  const batchApis = createBatchApis({ env: config.env, runtime, http: transport.http, simulator })
  const share = config.shared === null ? createOwnShare(runtime) : shareOfFleet(state.store, runtime)
  const governor = createAdaptiveGovernor({
    runtime,
    share,
    defaultMax: DEFAULT_CONCURRENCY,
    onHold: (name, untilMs, cause) => events.emit('limit.wait', { account: limitedAccount(name), untilMs, cause }),
    onBound: (name, limit, untilMs) => events.emit('limit.bound', { account: limitedAccount(name), limit, untilMs }),
    onChange: (account, concurrency, reason) => events.emit('limit.changed', { account, concurrency, reason }),
  })
  const privateNotices = config.env('SLUICE_NOTIFY_PRIVATE') === '1'
  return {
    ...state,
    runtime,
    events,
    models,
    batchApis,
    lane: createLiveLane(models),
    governor,
    share,
    allowance: { ...allowance, privateNotices },
    process: { host: hostname(), pid: process.pid, version },
    env: config.env,
    cwd: config.cwd,
    post: createPost({ allowPrivate: privateNotices }),
    writeParquet,
    async close() {
      governor.close()
      share.close()
      await models.close()
      await stopTelling?.()
      await close()
    },
  }
}

/** Lines for rows, and traces, where variables ask for them: their packages are loaded only then. */
async function tellAsAsked({ env }: Config, events: Events, runtime: Runtime, version: string) {
  const asked = askedByVariables(env)
  if (!asked.rowLines && asked.tracesUrl === null) return null
  const [{ createLog }, { observeWork }] = await Promise.all([
    import('./telemetry/log.ts'),
    import('./telemetry/observe-work.ts'),
  ])
  return observeWork(events, asked, createLog(process.stderr, runtime, 'info'), version)
}

/** The share of this process in the limits of the accounts that all workers on the database use. */
function shareOfFleet({ limits }: Store, runtime: Runtime): Share {
  return createFleetShare({
    runtime,
    fleet: limits,
    by: `${hostname()}/${process.pid}/${runtime.uuid()}`,
    onFailure(error) {
      // A database that is away is the storage guard's to tell of: nothing can be written down then, and nothing is sent.
      if (!(error instanceof StorageFailure)) process.emitWarning(error instanceof Error ? error : String(error))
    },
  })
}

/** Where jobs live: what the two forms of sluice differ in. `close` lets go of it. */
type State = Pick<EngineDeps, 'store' | 'queue' | 'blob' | 'presence' | 'storagePatienceMs' | 'close'>

function openState({ dataDir, shared, env }: Config, runtime: Runtime, version: string): Promise<State> {
  return shared === null ? stateOfOneMachine(dataDir, runtime, version) : stateOfMany(shared, env, runtime, version)
}

async function stateOfOneMachine(dataDir: string, runtime: Runtime, version: string): Promise<State> {
  await makeDirectory(dataDir)
  const store = await openSqliteStore({ path: join(dataDir, 'sluice.db'), runtime, version })
  const presence = await openPresence({ dir: join(dataDir, 'workers') })
  return {
    store,
    queue: createEmbeddedQueue({ database: store, runtime }),
    blob: openFileBlob({ dir: join(dataDir, 'blob') }),
    presence,
    storagePatienceMs: STORAGE_PATIENCE_MS,
    close: () => store.close(),
  }
}

/** Its packages are a second of loading that one machine alone need not wait for. */
async function stateOfMany(
  { databaseUrl, blobUrl }: SharedState,
  env: Config['env'],
  runtime: Runtime,
  version: string,
): Promise<State> {
  const [{ openPostgresStore }, { refusal }, { createPgBossQueue }, { openBlob }] = await Promise.all([
    import('./store/postgres.ts'),
    import('./store/postgres-refusal.ts'),
    import('./queue/pg-boss.ts'),
    import('./blob/open.ts'),
  ])
  const { blob, close: closeBlob } = openBlob(blobUrl, env)
  const store = await openPostgresStore({ url: databaseUrl, runtime, version })
  const queue = await createPgBossQueue({ database: store, url: databaseUrl }).catch(async (error: unknown) => {
    await store.close()
    throw refusal(error)
  })
  return {
    store,
    queue,
    blob,
    presence: null,
    // A database that restarts, or fails over, is waited for as long as it takes.
    storagePatienceMs: Number.POSITIVE_INFINITY,
    async close() {
      closeBlob()
      await store.close()
    },
  }
}

/**
 * Brings the tables of store and queue up to date, and says of what and in how many steps; of many processes that do so at once, one does the work.
 * Fails as `openEngine` does.
 */
export async function migrateState({ dataDir, shared }: Config, runtime: Runtime, version: string) {
  if (shared === null) {
    // To open it is to bring it up to date.
    await (await stateOfOneMachine(dataDir, runtime, version)).close()
    return { what: `The data directory ${dataDir}`, steps: 0 }
  }
  const [{ migratePostgres }, { refusal }, { migratePgBoss }] = await Promise.all([
    import('./store/postgres-migrate.ts'),
    import('./store/postgres-refusal.ts'),
    import('./queue/pg-boss-migrate.ts'),
  ])
  const steps = await migratePostgres({ url: shared.databaseUrl, version })
  await migratePgBoss({ url: shared.databaseUrl }).catch((error: unknown) => {
    throw refusal(error)
  })
  return { what: 'The database', steps }
}

function inProcessSimulator(runtime: Runtime) {
  const simulator = createSimulator({ nowMs: runtime.now, after: runtime.after, latency: SIMULATED_LATENCY })
  const fetch = simulatorFetch(simulator, { sleep: runtime.sleep })
  const price: PriceSpec = { cachedInput: null, ...DEFAULT_SIMULATED_PRICE }
  return { fetch, price }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await makeFolder(path)
  } catch (error) {
    throw new SluiceError('storage', `the data directory ${path} cannot be made: ${(error as Error).message}`, {
      hint: 'Name another one with --data-dir.',
      cause: error,
    })
  }
}

/** Starts the provider simulator as a server, for `sluice simulate` and for trials. */
export async function startSimulator(
  request: {
    readonly options: Omit<SimulatorOptions, 'nowMs'>
    readonly port: number
    readonly host: string
    readonly requestLog: string | null
  },
  runtime: Runtime,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const simulator = createSimulator({ ...request.options, nowMs: runtime.now, after: runtime.after })
  return startSimulatorServer(simulator, {
    after: runtime.after,
    port: request.port,
    host: request.host,
    requestLog: request.requestLog,
  })
}
