import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { SCOPES, type Scope } from '../domain/access.ts'
import { SluiceError } from '../errors.ts'
import type { JwtConfig } from '../serve-config.ts'
import type { HttpDeps } from './http-deps.ts'

/** What a token that was believed says. */
export interface TokenClaims {
  readonly tenant: string
  readonly subject: string
  readonly scopes: readonly Scope[]
}

/** Signatures that keys of a JWKS may make; a shared secret is never among them. */
const PUBLIC_KEY_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

/** Clocks may differ by so much, s. */
const TOLERANCE_S = 30

type Verify = (token: string, options: JWTVerifyOptions) => Promise<{ readonly payload: JWTPayload }>

/**
 * Creates the check of tokens (RFC 7519): signature, `exp` (which must be there), `nbf`, issuer and audience where they are configured. Throws
 * SluiceError `unauthorized` for whatever does not pass; `overloaded` where the keys of the issuer are not to be had; `credentials_missing` at once where the
 * variable of the secret is not set.
 */
export function createTokenCheck(
  config: JwtConfig,
  { env, runtime }: Pick<HttpDeps, 'env' | 'runtime'>,
): (token: string) => Promise<TokenClaims> {
  const verify = verifier(config, env)
  return async (token) => {
    try {
      const { payload } = await verify(token, {
        requiredClaims: ['exp'],
        clockTolerance: TOLERANCE_S,
        currentDate: new Date(runtime.now()),
        ...(config.issuer !== null && { issuer: config.issuer }),
        ...(config.audience !== null && { audience: config.audience }),
      })
      return claimsOf(config, payload)
    } catch (error) {
      if (error instanceof SluiceError) throw error
      const reason = reasonOf(error)
      if (reason !== null) throw refused(reason)
      throw new SluiceError('overloaded', 'the keys of the issuer of tokens cannot be had at the moment', {
        cause: error,
      })
    }
  }
}

function verifier({ secretEnv, jwksUrl }: JwtConfig, env: HttpDeps['env']): Verify {
  if (jwksUrl !== null) {
    const keys = createRemoteJWKSet(new URL(jwksUrl))
    return (token, options) => jwtVerify(token, keys, { ...options, algorithms: PUBLIC_KEY_ALGORITHMS })
  }
  const secret = env(secretEnv ?? '')
  if (secret === undefined) {
    throw new SluiceError('credentials_missing', `${secretEnv} is not set, and tokens are signed with it`, {
      hint: 'Set the variable that jwt.secret_env names.',
    })
  }
  const key = new TextEncoder().encode(secret)
  return (token, options) => jwtVerify(token, key, { ...options, algorithms: ['HS256'] })
}

function claimsOf({ tenantClaim, scopeClaim, defaultScopes }: JwtConfig, payload: JWTPayload): TokenClaims {
  const tenant = payload[tenantClaim]
  if (typeof tenant !== 'string') throw refused(`names no tenant under ${tenantClaim}`)
  return { tenant, subject: payload.sub ?? '', scopes: scopesOf(payload[scopeClaim]) ?? defaultScopes }
}

/** `null`: the claim is not there. Scopes that are not ours are somebody else's business. */
function scopesOf(claim: unknown): readonly Scope[] | null {
  if (claim === undefined) return null
  const names: readonly unknown[] = typeof claim === 'string' ? claim.split(/\s+/) : Array.isArray(claim) ? claim : []
  return SCOPES.filter((scope) => names.includes(scope))
}

/** Why a token is not believed; `null`: it could not be looked at, since the keys of its issuer were not to be had. */
function reasonOf(error: unknown): string | null {
  if (error instanceof errors.JWTExpired) return 'has run out'
  if (error instanceof errors.JWTClaimValidationFailed) return `is not for this server: its ${error.claim} does not fit`
  const isOfKeys = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid
  // What the set of keys answers other than 200 is a JOSEError and no other; a connection that fails is none at all.
  const isUnanswered = !(error instanceof errors.JOSEError) || error.code === 'ERR_JOSE_GENERIC'
  return isOfKeys || isUnanswered ? null : 'is not signed as it must be'
}

function refused(why: string): SluiceError {
  return new SluiceError('unauthorized', `the token ${why}`)
}
