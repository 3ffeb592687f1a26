import { sha256 } from '../runtime.ts'
import type { FoundFile } from './input-file.ts'

/** Files that are looked at at once: those of object storage are a request each. */
const AT_ONCE = 16

/** Another text when a file changed in size, time or beginning, or is gone. */
export async function identifyFiles(files: readonly FoundFile[]): Promise<string> {
  const parts: unknown[] = []
  for (let at = 0; at < files.length; at += AT_ONCE) {
    parts.push(...(await Promise.all(files.slice(at, at + AT_ONCE).map((file) => file.identity()))))
  }
  return sha256(JSON.stringify(parts))
}

/**
 * The hash of the input's bytes: of one file its own, for a local one what `sha256sum` prints; of several the hash over a line `<hash>  <name>` for
 * each, which is what `sha256sum a.csv b.csv | sha256sum` prints.
 */
export async function hashFiles(files: readonly FoundFile[], signal?: AbortSignal): Promise<string> {
  const hashes: string[] = []
  for (const file of files) hashes.push(await file.hash(signal))
  if (hashes.length === 1) return hashes[0] as string
  return sha256(files.map(({ name }, at) => `${hashes[at]}  ${name}\n`).join(''))
}
