import type { CheckReport, SpecOverrides } from '../engine.ts'
import { describeInput } from '../intake/describe-input.ts'
import type { FoundFile } from '../intake/input-file.ts'
import { checkSpec } from '../plan/check.ts'
import type { CheckTools } from '../plan/check-tools.ts'
import { readSpec } from '../spec/load.ts'
import type { EngineDeps } from './engine-deps.ts'

/** What checking a spec needs of other rooms. `files` are read in place of what it names; `null`: they are still to come. */
export function checkTools(deps: EngineDeps, files?: readonly FoundFile[] | null): CheckTools {
  return {
    env: deps.env,
    describeInput: async (input, baseDir) =>
      files === null ? null : describeInput({ input, baseDir, env: deps.env, files }),
    price: (target, own) => deps.models.price(target, own),
    hasBatches: (target) => deps.models.batches(target) !== null,
    hasFlex: (target) => deps.models.flex(target) !== null,
  }
}

/** Finds everything that is wrong with a spec and its input at once (see Engine.check). */
export async function checkFile(deps: EngineDeps, specPath: string, overrides: SpecOverrides): Promise<CheckReport> {
  const { env, cwd } = deps
  const reading = await readSpec(specPath, { env, cwd, overrides: { ...overrides, cwd } })
  const findings = await checkSpec(reading, checkTools(deps))
  return { findings, ok: !findings.some((finding) => finding.severity === 'error') }
}
