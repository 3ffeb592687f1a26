import { join } from 'node:path'
import { startCluster } from '../postgres/cluster.ts'
import type { BackEnd } from './back-end.ts'
import { openPostgresBackEnd } from './postgres-back-end.ts'
import { queryDataDir } from './query-data-dir.ts'

/** A place for the state of a trial, below `dir`: a data directory, or, for `postgres`, a PostgreSQL of its own with a folder for blobs. Throws for a store of another name. */
export async function openTrialPlace(store: string, dir: string): Promise<BackEnd> {
  if (store === 'sqlite') {
    const dataDir = join(dir, 'data')
    const query = async <T>(sql: string) => queryDataDir<T>(dataDir, sql)
    return { env: { SLUICE_DATA_DIR: dataDir }, query, close: async () => undefined }
  }
  if (store !== 'postgres') throw new Error(`--store is sqlite or postgres, not ${store}`)
  const cluster = await startCluster()
  const backEnd = openPostgresBackEnd(cluster.url, dir)
  return {
    ...backEnd,
    async close() {
      await backEnd.close()
      await cluster.remove()
    },
  }
}
