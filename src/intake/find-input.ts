import type { Env } from '../blob/s3-access.ts'
import { isS3Url } from '../blob/s3-url.ts'
import { findFiles } from './find-files.ts'
import type { FoundFile } from './input-file.ts'

/** The files that `source` names: on this machine, relative to `baseDir` (see `findFiles`), or in object storage (see `findObjects`). */
export async function findInput(source: string, baseDir: string, env: Env): Promise<readonly FoundFile[]> {
  if (!isS3Url(source)) return findFiles(source, baseDir)
  const { findObjects } = await import('./find-objects.ts')
  return findObjects(source.replace(/^s3/i, 's3'), env)
}
