import { type Kysely, type Selectable, sql } from 'kysely'
import { TERMINAL_STATES } from '../domain/job.ts'
import type { FilePart, StoredFile } from '../domain/stored-file.ts'
import type { StoreDatabase } from './database.ts'
import type { FileEnd, FilePage, Files } from './role/files.ts'
import type { Database } from './schema.ts'
import type { FilePartsTable, FilesTable } from './schema-service.ts'

/** Files that come over the network, and where their parts lie. */
export function filesRole(database: StoreDatabase): Files {
  const { reader, write, handle } = database
  return Object.freeze({
    async add({ id, tenantNo, purpose, name, createdAtMs, expiresAtMs }) {
      const times = { created_at_ms: createdAtMs, expires_at_ms: expiresAtMs }
      const row = { file_id: id, tenant_no: tenantNo, purpose, name, state: 'open' as const, ...times }
      await write((tx) =>
        handle(tx)
          .insertInto('files')
          .values(row)
          .onConflict((conflict) => conflict.column('file_id').doNothing())
          .execute(),
      )
    },

    async get(tenantNo, id) {
      const row = await reader
        .selectFrom('files')
        .selectAll()
        .where('tenant_no', '=', tenantNo)
        .where('file_id', '=', id)
        .executeTakeFirst()
      return row === undefined ? null : fileOf(row)
    },

    list: (tenantNo, page) => listFiles(reader, tenantNo, page),

    async parts(tenantNo, id) {
      const rows = await reader
        .selectFrom('files')
        .innerJoin('file_parts', 'file_parts.file_id', 'files.file_id')
        .selectAll('file_parts')
        .where('files.tenant_no', '=', tenantNo)
        .where('files.file_id', '=', id)
        .orderBy('file_parts.byte_offset')
        .execute()
      return rows.map(partOf)
    },

    async expireAt(tenantNo, id, atMs) {
      await write((tx) =>
        handle(tx)
          .updateTable('files')
          .set({ expires_at_ms: atMs })
          .where('tenant_no', '=', tenantNo)
          .where('file_id', '=', id)
          .execute(),
      )
    },

    async expired(nowMs, limit) {
      const rows = await reader
        .selectFrom('files')
        .selectAll()
        .where('expires_at_ms', '<', nowMs)
        .orderBy('expires_at_ms')
        .limit(limit)
        .execute()
      return rows.map(fileOf)
    },

    async spentInputs(limit) {
      const rows = await reader
        .selectFrom('files')
        .innerJoin('jobs', (join) =>
          // The file of a job that is to be uploaded is called as the job is.
          join
            .on(sql<string>`'job_' || substr(files.file_id, 6)`, '=', sql.ref('jobs.id'))
            .onRef('jobs.tenant_no', '=', 'files.tenant_no'),
        )
        .selectAll('files')
        // By tenants, of whom there are few: so the index is of use in which the files of each stand by purpose.
        .where('files.tenant_no', 'in', reader.selectFrom('tenants').select('tenants.tenant_no'))
        .where('files.purpose', '=', 'input')
        .where(({ eb, or }) => or([eb('jobs.manifest_closed', '=', 1), eb('jobs.state', 'in', TERMINAL_STATES)]))
        .limit(limit)
        .execute()
      return rows.map(fileOf)
    },

    append: (tenantNo, id, part) => write((tx) => appendPart(handle(tx), tenantNo, id, part)),
    close: (tenantNo, id, end) => write((tx) => closeFile(handle(tx), tenantNo, id, end)),
    reopen: (tenantNo, id) => write((tx) => reopenFile(handle(tx), tenantNo, id)),
    remove: (tenantNo, id) => write((tx) => removeFile(handle(tx), tenantNo, id)),
  } satisfies Files)
}

async function listFiles(db: Kysely<Database>, tenantNo: number, page: FilePage): Promise<readonly StoredFile[]> {
  const { limit, after, purpose, order = 'desc' } = page
  let query = db
    .selectFrom('files')
    .selectAll()
    .where('tenant_no', '=', tenantNo)
    .orderBy('file_id', order)
    .limit(limit)
  if (after !== undefined) query = query.where('file_id', order === 'desc' ? '<' : '>', after)
  if (purpose !== undefined) query = query.where('purpose', '=', purpose)
  return (await query.execute()).map(fileOf)
}

/** The file's row comes first in all that changes it: of two who append at one place the second waits, and finds the file longer. */
async function appendPart(db: Kysely<Database>, tenantNo: number, id: string, part: FilePart): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('files')
    .set({ bytes: sql`bytes + ${part.bytes}` })
    .where('tenant_no', '=', tenantNo)
    .where('file_id', '=', id)
    .where('state', '=', 'open')
    .where('bytes', '=', part.offset)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) return false
  const row = { file_id: id, byte_offset: part.offset, bytes: part.bytes, blob_key: part.blobKey }
  await db.insertInto('file_parts').values(row).execute()
  return true
}

async function closeFile(db: Kysely<Database>, tenantNo: number, id: string, end: FileEnd): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('files')
    .set({ state: end.state, sha256: end.sha256, note: end.note })
    .where('tenant_no', '=', tenantNo)
    .where('file_id', '=', id)
    .where('state', '=', 'open')
    .where('bytes', '=', end.bytes)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

async function reopenFile(db: Kysely<Database>, tenantNo: number, id: string): Promise<readonly FilePart[]> {
  const { numUpdatedRows } = await db
    .updateTable('files')
    .set({ state: 'open', bytes: 0, sha256: null, note: null })
    .where('tenant_no', '=', tenantNo)
    .where('file_id', '=', id)
    .where('state', 'in', ['open', 'refused'])
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 0n ? [] : await dropParts(db, id)
}

async function removeFile(db: Kysely<Database>, tenantNo: number, id: string): Promise<readonly FilePart[] | null> {
  const { numDeletedRows } = await db
    .deleteFrom('files')
    .where('tenant_no', '=', tenantNo)
    .where('file_id', '=', id)
    .executeTakeFirstOrThrow()
  return numDeletedRows === 0n ? null : await dropParts(db, id)
}

async function dropParts(db: Kysely<Database>, id: string): Promise<readonly FilePart[]> {
  const rows = await db.deleteFrom('file_parts').where('file_id', '=', id).returningAll().execute()
  return rows.map(partOf).toSorted((a, b) => a.offset - b.offset)
}

function fileOf(row: Selectable<FilesTable>): StoredFile {
  return {
    id: row.file_id,
    tenantNo: row.tenant_no,
    purpose: row.purpose,
    name: row.name,
    state: row.state,
    bytes: row.bytes,
    sha256: row.sha256,
    note: row.note,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
  }
}

function partOf(row: Selectable<FilePartsTable>): FilePart {
  return { offset: row.byte_offset, bytes: row.bytes, blobKey: row.blob_key }
}
