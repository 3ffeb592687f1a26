/** What a caller may do: hand in work, look, change what runs, and everything of its tenant. `admin` may do all that the others may. */
export const SCOPES = ['submit', 'read', 'operate', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** A key as the store keeps it: of its secret only the hash. */
export interface ApiKey {
  /** `key_` + UUIDv7; part of the key itself, and no secret. */
  readonly id: string
  readonly tenantNo: number
  /** For people. */
  readonly name: string
  readonly scopes: readonly Scope[]
  /** sha-256 (hex) of the secret, which has 256 bits of its own. */
  readonly secretHash: string
  readonly createdAtMs: number
  /** `null`: never. */
  readonly expiresAtMs: number | null
  readonly revokedAtMs: number | null
  /** About when it was used last, to the minute. */
  readonly usedAtMs: number | null
}

/** Who asks: a key, a token, or whoever is on this machine where no key is there. */
export interface Principal {
  readonly tenantNo: number
  readonly tenantName: string
  /** For the audit log: `key:key_…`, `jwt:<sub>`, `local`. */
  readonly actor: string
  readonly scopes: readonly Scope[]
}

/** Whether the caller may do what asks for `scope`. */
export function may(principal: Pick<Principal, 'scopes'>, scope: Scope): boolean {
  return principal.scopes.includes(scope) || principal.scopes.includes('admin')
}

/** One line of who did what. Holds no contents and no keys. */
export interface AuditEntry {
  readonly tenantNo: number
  /** As `Principal.actor`, or `cli`. */
  readonly actor: string
  /** `job.create`, `job.cancel`, `key.create`, … */
  readonly action: string
  /** Id of what it was done to. */
  readonly subject: string
  /** Settings changed, a model named: short, for people. */
  readonly detail: string | null
  readonly atMs: number
}
