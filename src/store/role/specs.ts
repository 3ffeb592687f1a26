export interface Specs {
  /** Keeps a version; the same hash again changes nothing. */
  put(tenantNo: number, hash: string, name: string, canonicalJson: string, atMs: number): Promise<void>
  get(tenantNo: number, hash: string): Promise<string | null>
  /**
   * Publishes a spec under its name, as its author wrote it: the next number, from 1, or the one that it has where the latest version is of the same
   * hash. With `onTopOf`, only where the latest is that version (0: there is none): else `null`.
   */
  publish(spec: NewSpecVersion, onTopOf: number | null): Promise<SpecVersion | null>
  /** The latest version, or one by its number. */
  version(tenantNo: number, name: string, version: number | null): Promise<SpecVersion | null>
  /** Newest first; `before` continues behind that number. */
  versions(
    tenantNo: number,
    name: string,
    page: { readonly limit: number; readonly before?: number },
  ): Promise<readonly SpecVersion[]>
  /** The latest version of each name, by name; `after` continues behind that name. */
  published(
    tenantNo: number,
    page: { readonly limit: number; readonly after?: string },
  ): Promise<readonly SpecVersion[]>
}

export interface NewSpecVersion {
  readonly tenantNo: number
  readonly name: string
  readonly hash: string
  /** The document as it was sent, as JSON. */
  readonly source: string
  readonly atMs: number
}

export interface SpecVersion extends NewSpecVersion {
  readonly version: number
}
