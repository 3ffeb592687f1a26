import { isTerminal } from '../domain/job.ts'
import type { PlanRequest } from '../engine.ts'
import type { WorkDeps } from './enter-fleet.ts'
import type { PilotRunner } from './plan.ts'
import type { StatusReader } from './status.ts'
import { submit } from './submit.ts'
import { work } from './work.ts'

/** Runs the pilots of plans in this process. A pilot is a job of its own, which is kept, and whose answers a run of the spec takes over. */
export function createPilotRunner(parts: WorkDeps, reader: StatusReader): PilotRunner {
  const { deps, jobDeps } = parts
  return Object.freeze({
    async run(request: PlanRequest, rowIds: readonly string[]) {
      const { specPath, overrides, pilot } = request
      const { job } = await submit(deps, jobDeps, {
        specPath,
        ...(overrides && { overrides }),
        selection: { kind: 'keys', keys: rowIds },
        pilot: true,
        ...(pilot && { signal: pilot.signal }),
      })
      if (isTerminal(job.state) || pilot === undefined) return reader.read(job.jobNo)
      return work(parts, reader, job, pilot)
    },
  })
}
