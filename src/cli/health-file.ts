import { rmSync, writeFileSync } from 'node:fs'
import { SluiceError } from '../errors.ts'

/** A file whose time of change says when all was well last: what a liveness probe looks at. */
export interface HealthFile {
  /** `null`, or why it could not be written: said once, until it can again. */
  touch(): string | null
  remove(): void
}

/** Creates the file. Throws SluiceError `usage` where that cannot be done: a probe that never sees it would kill the worker. */
export function openHealthFile(path: string): HealthFile {
  let failing = false
  const write = () => writeFileSync(path, `${process.pid}\n`)
  try {
    write()
  } catch (error) {
    throw new SluiceError('usage', `the health file ${path} cannot be written: ${(error as Error).message}`, {
      hint: 'Name a file in a folder that this user may write to.',
      cause: error,
    })
  }
  return Object.freeze({
    touch() {
      try {
        write()
        failing = false
        return null
      } catch (error) {
        const first = !failing
        failing = true
        return first ? (error as Error).message : null
      }
    },
    remove: () => rmSync(path, { force: true }),
  })
}
