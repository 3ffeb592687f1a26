import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startCluster } from '../postgres/cluster.ts'

/** Where a trial's state lies, as `sluice` finds it in its environment. */
export interface TrialPlace {
  readonly env: Readonly<Record<string, string>>
  /** Stops what was started for it. */
  close(): Promise<void>
}

/** A place below `dir`: a data directory, or, for `postgres`, a PostgreSQL of its own with a folder for blobs. Throws for a store of another name. */
export async function openTrialPlace(store: string, dir: string): Promise<TrialPlace> {
  if (store === 'sqlite') return { env: { SLUICE_DATA_DIR: join(dir, 'data') }, close: async () => undefined }
  if (store !== 'postgres') throw new Error(`--store is sqlite or postgres, not ${store}`)
  const cluster = await startCluster()
  const blob = pathToFileURL(join(dir, 'blob')).href
  return { env: { SLUICE_DATABASE_URL: cluster.url, SLUICE_BLOB_URL: blob }, close: () => cluster.remove() }
}
