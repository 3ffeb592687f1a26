import type { Env } from '../blob/s3-access.ts'
import type { InputSpec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { hashFiles } from './file-identity.ts'
import { findInput } from './find-input.ts'

/**
 * The hash that `runIntake` gives an input of files that it reads whole. `null` where that says nothing: of a query, of an input with a limit, and
 * where the files are not there any more.
 */
export async function hashInput(options: {
  readonly input: InputSpec
  readonly baseDir: string
  readonly env: Env
  readonly signal: AbortSignal
}): Promise<string | null> {
  const { input, baseDir, env, signal } = options
  if (input.source === null || input.limit !== null) return null
  try {
    return await hashFiles(await findInput(input.source, baseDir, env), signal)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'input_missing') return null
    throw error
  }
}
