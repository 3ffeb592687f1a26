import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import { planFile, readPlanFile, type SavedPlan } from '../delivery/plan-json.ts'
import type { Plan } from '../domain/plan.ts'
import type { SpecOverrides } from '../engine.ts'
import { SluiceError } from '../errors.ts'

/** What a plan was made of, so that `run --plan` can do without saying it again. */
export interface PlannedCommand {
  /** Absolute. */
  readonly specPath: string
  readonly overrides: SpecOverrides
}

/** Writes a plan whole or not at all; its spec is named relative to it. Throws SluiceError `output_unwritable`. */
export async function savePlan(path: string, plan: Plan, command: PlannedCommand): Promise<void> {
  const { specPath, overrides } = command
  const part = `${path}.part`
  try {
    await writeFile(part, planFile(plan, { spec: relative(dirname(path), specPath), overrides }))
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined)
    throw new SluiceError('output_unwritable', `${path} cannot be written: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** Reads a plan, with the command that it was made by. Throws SluiceError `usage` where it is none. */
export async function loadPlan(path: string): Promise<SavedPlan & PlannedCommand> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SluiceError('usage', `the plan ${path} cannot be read: ${(error as Error).message}`, {
      hint: 'Make one: `sluice plan <spec> -o plan.json`.',
      cause: error,
    })
  })
  const saved = readPlanFile(text, path)
  const { spec, overrides } = (saved.command ?? {}) as { readonly spec?: unknown; readonly overrides?: unknown }
  if (typeof spec !== 'string' || typeof overrides !== 'object' || overrides === null) {
    throw new SluiceError('usage', `${path} does not say which spec it is a plan of`, {
      hint: 'Make it anew: `sluice plan <spec> -o plan.json`.',
    })
  }
  return { ...saved, specPath: resolve(dirname(path), spec), overrides: overrides as SpecOverrides }
}
