import type { FilePart, FilePurpose, StoredFile } from '../../domain/stored-file.ts'

export interface Files {
  /** Adds an `open` file without bytes; the same id again changes nothing. */
  add(file: Pick<StoredFile, 'id' | 'tenantNo' | 'purpose' | 'name' | 'createdAtMs' | 'expiresAtMs'>): Promise<void>
  get(tenantNo: number, id: string): Promise<StoredFile | null>
  /** Newest first; `after` continues behind the file of that id. */
  list(tenantNo: number, page: FilePage): Promise<readonly StoredFile[]>
  /**
   * Appends a part, which has bytes, at the file's end, where that still is `part.offset` and the file is `open`. `false`: it is not, and nothing was
   * changed: somebody else was faster.
   */
  append(tenantNo: number, id: string, part: FilePart): Promise<boolean>
  /** All parts in order. */
  parts(tenantNo: number, id: string): Promise<readonly FilePart[]>
  /** Ends an open file as `ready` or `refused`. `false`: it is not open any more, or has not so many bytes. */
  close(tenantNo: number, id: string, end: FileEnd): Promise<boolean>
  /** Makes a file that was refused, or is not whole, `open` and empty again, to be sent anew. Returns the parts that it had: their objects are the caller's to remove. */
  reopen(tenantNo: number, id: string): Promise<readonly FilePart[]>
  /** Takes the file off the list, with its parts: their objects are the caller's to remove. `null`: there is none of that id. */
  remove(tenantNo: number, id: string): Promise<readonly FilePart[] | null>
  /** Changes when a file runs out; `null`: it stays until it is deleted. */
  expireAt(tenantNo: number, id: string, atMs: number | null): Promise<void>
  /** Inputs of jobs that have read them in full, or are over, at most `limit`: nobody asks for them again. */
  spentInputs(limit: number): Promise<readonly StoredFile[]>
  /** Files that ran out before `nowMs`, at most `limit`. */
  expired(nowMs: number, limit: number): Promise<readonly StoredFile[]>
}

export interface FilePage {
  readonly limit: number
  readonly after?: string
  readonly purpose?: FilePurpose
  readonly order?: 'asc' | 'desc'
}

export interface FileEnd {
  readonly state: 'ready' | 'refused'
  readonly bytes: number
  readonly sha256: string
  readonly note: string | null
}
