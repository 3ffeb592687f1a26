import { createEngine } from '../engine/create-engine.ts'
import { createJobDesk } from '../engine/create-job-desk.ts'
import { createOpenAiDesk } from '../engine/create-openai-desk.ts'
import { createTransferDesks } from '../engine/create-transfer-desk.ts'
import type { EngineDeps } from '../engine/engine-deps.ts'
import type { FileDesk } from '../engine/file-desk.ts'
import { createFileDesks } from '../engine/files.ts'
import { createJobPages } from '../engine/job-pages.ts'
import { createSpecDesk } from '../engine/spec-desk.ts'
import { workDeps } from '../engine/work-deps.ts'
import type { Service } from '../service.ts'

/** Creates the service over the adapters of one process. What it closes is theirs too. */
export function createService(deps: Omit<EngineDeps, 'tenantNo'>): Service {
  const { store, events, allowance } = deps
  const files = createFileDesks(deps)
  const transfers = createTransferDesks(deps)
  const faces = new Map<number, Face>()
  const faceOf = (tenantNo: number): Face => {
    const known = faces.get(tenantNo)
    if (known !== undefined) return known
    const face = createFace({ ...deps, tenantNo }, files(tenantNo))
    faces.set(tenantNo, face)
    return face
  }
  return Object.freeze({
    tenants: store.tenants,
    keys: store.keys,
    audit: store.audit,
    requests: store.requests,
    specs: store.specs,
    events,
    allowance,
    engine: (tenantNo) => faceOf(tenantNo).engine,
    jobs: (tenantNo) => faceOf(tenantNo).jobs,
    pages: (tenantNo) => faceOf(tenantNo).pages,
    specDesk: (tenantNo) => faceOf(tenantNo).specDesk,
    files,
    openAi: (tenantNo) => faceOf(tenantNo).openAi,
    transfers,
    checkReady: () => store.checkLevel(),
    close: () => deps.close(),
  } satisfies Service)
}

type Face = ReturnType<typeof createFace>

/** What one tenant sees. */
function createFace(deps: EngineDeps, files: FileDesk) {
  const { jobDeps } = workDeps(deps)
  return {
    engine: createEngine(deps),
    jobs: createJobDesk(deps, jobDeps),
    openAi: createOpenAiDesk(deps, jobDeps, files),
    pages: createJobPages(deps),
    specDesk: createSpecDesk(deps),
  }
}
