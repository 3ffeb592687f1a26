export interface Specs {
  /** Keeps a version; the same hash again changes nothing. */
  put(tenantNo: number, hash: string, name: string, canonicalJson: string, atMs: number): Promise<void>
  get(tenantNo: number, hash: string): Promise<string | null>
}
