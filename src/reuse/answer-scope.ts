import type { ExecutionSpec } from '../domain/spec.ts'

/**
 * Where the answers of a job's rows are found and kept, within its tenant: `job` its own, `spec` those of every version of the spec of this name,
 * `tenant` all. `null`: nowhere. A job that is not there yet (`jobNo` being `null`) has no answers of its own to find.
 */
export function answerScope(cache: ExecutionSpec['cache'], specName: string, jobNo: number | null): string | null {
  if (cache === 'tenant') return 'tenant'
  if (cache === 'spec') return `spec:${specName}`
  return cache === 'job' && jobNo !== null ? `job:${jobNo}` : null
}
