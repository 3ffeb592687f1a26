import { join } from 'node:path'
import { openFileBlob } from './blob/file.ts'
import type { Config } from './config.ts'
import type { PriceSpec } from './domain/spec.ts'
import { createEngine } from './engine/create-engine.ts'
import type { Engine } from './engine.ts'
import { SluiceError } from './errors.ts'
import { createEvents } from './events.ts'
import { createLiveLane } from './lane/live.ts'
import { createAdaptiveGovernor } from './limit/adaptive.ts'
import { createModels } from './provider/registry.ts'
import { createTransport } from './provider/transport.ts'
import { createEmbeddedQueue } from './queue/embedded.ts'
import { openPresence } from './queue/presence.ts'
import { makeFolder, type Runtime } from './runtime.ts'
import { simulatorFetch } from './simulator/fetch.ts'
import type { SimulatorOptions } from './simulator/options.ts'
import { DEFAULT_SIMULATED_PRICE } from './simulator/price.ts'
import { startSimulatorServer } from './simulator/server.ts'
import { createSimulator } from './simulator/simulator.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { DEFAULT_TENANT } from './store/store.ts'
import { writeParquet } from './table/write-parquet.ts'

/** Concurrency of an account before its job has said what it wants (contract §6). */
const DEFAULT_CONCURRENCY = 64

/** How long an answer of the in-process simulator takes: long enough to see a panel move, short enough for a first minute. */
const SIMULATED_LATENCY = { medianMs: 120, p99Ms: 600 }

/**
 * Opens the engine of one process: everything embedded, in the data directory, which is created where it is missing. This is the one place that
 * joins adapters. Throws SluiceError `storage` where the directory cannot be used, `store_version` where a newer sluice has written it.
 */
export async function openEngine(config: Config, runtime: Runtime, version: string): Promise<Engine> {
  const { dataDir } = config
  await makeDirectory(dataDir)
  const store = await openSqliteStore({ path: join(dataDir, 'sluice.db'), runtime, version })
  const presence = await openPresence({ dir: join(dataDir, 'workers') })
  const events = createEvents((name, error) => {
    // A listener that throws is a defect of ours: it must not be lost, and must not stop the work.
    process.emitWarning(error instanceof Error ? error : String(error), `listener of ${name}`)
  })
  const transport = createTransport()
  const models = createModels({ env: config.env, runtime, transport, simulator: inProcessSimulator(runtime) })
  const governor = createAdaptiveGovernor({
    runtime,
    defaultMax: DEFAULT_CONCURRENCY,
    onHold: (account, untilMs, cause) => events.emit('limit.wait', { account, untilMs, cause }),
    onChange: (account, concurrency, reason) => events.emit('limit.changed', { account, concurrency, reason }),
  })
  return createEngine({
    runtime,
    events,
    store,
    queue: createEmbeddedQueue({ database: store, runtime }),
    blob: await openFileBlob({ dir: join(dataDir, 'blob') }),
    models,
    lane: createLiveLane(models),
    governor,
    tenantNo: DEFAULT_TENANT,
    env: config.env,
    cwd: config.cwd,
    register: (workerId) => presence.register(workerId),
    isGone: (workerId) => presence.isGone(workerId),
    writeParquet,
    async close() {
      governor.close()
      await models.close()
      await store.close()
    },
  })
}

function inProcessSimulator(runtime: Runtime) {
  const simulator = createSimulator({ nowMs: runtime.now, latency: SIMULATED_LATENCY })
  const fetch = simulatorFetch(simulator, { sleep: runtime.sleep })
  const { input, output } = DEFAULT_SIMULATED_PRICE
  const price: PriceSpec = { input, output, cachedInput: null }
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
  const simulator = createSimulator({ ...request.options, nowMs: runtime.now })
  return startSimulatorServer(simulator, {
    after: runtime.after,
    port: request.port,
    host: request.host,
    requestLog: request.requestLog,
  })
}
