import { readFileSync } from 'node:fs'
import { openEngine } from './compose.ts'
import { readConfig } from './config.ts'
import type { Engine } from './engine.ts'
import { systemRuntime } from './runtime.ts'

/**
 * Opens the engine over a data directory (default: `SLUICE_DATA_DIR`, else `.sluice`), for programs that want no command line between. Any number
 * of processes on one machine may have it open. Close it when done. Throws SluiceError `storage` or `store_version`.
 */
export async function createEngine(options: { readonly dataDir?: string } = {}): Promise<Engine> {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return openEngine(readConfig(options), systemRuntime(), version)
}

export type { Cause } from './domain/failure.ts'
export type { Counters, Job, JobId, JobState } from './domain/job.ts'
export type { Notice, NoticeState } from './domain/notice.ts'
export type { Plan } from './domain/plan.ts'
export type { Spec } from './domain/spec.ts'
export type * from './engine.ts'
export { type ErrorCode, type Finding, type Place, SluiceError } from './errors.ts'
export { defineSpec, type SpecInput } from './spec/define.ts'
