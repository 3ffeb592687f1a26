import { type S3Encryption, type S3Url, s3Encryption, s3Endpoint } from './s3-url.ts'

/** Reads a variable of the environment; an empty one counts as not set. */
export type Env = (name: string) => string | undefined

/** All that is needed to reach a bucket. Holds a secret: never to be shown. */
export interface S3Access {
  readonly bucket: string
  /** `null`: AWS itself. */
  readonly endpoint: string | null
  /** `null`: where the AWS SDK looks for it. */
  readonly region: string | null
  /** The bucket stands in the path, not in the host's name. */
  readonly pathStyle: boolean
  readonly encryption: S3Encryption | null
  /** `null`: where the AWS SDK looks for them: profiles, web identity, the machine's role. */
  readonly credentials: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  } | null
}

/**
 * Joins what an address says with the environment, where the address wins: SLUICE_S3_ENDPOINT before AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL,
 * AWS_REGION before AWS_DEFAULT_REGION, SLUICE_S3_SSE with SLUICE_S3_KMS_KEY. Throws `usage` for a variable that cannot be meant.
 */
export function s3Access(url: S3Url, env: Env): S3Access {
  const endpoint = url.endpoint ?? endpointOf(env)
  const region = url.region ?? env('AWS_REGION') ?? env('AWS_DEFAULT_REGION') ?? null
  return Object.freeze({
    bucket: url.bucket,
    endpoint,
    // Servers other than AWS take any; the signature needs one.
    region: region ?? (endpoint === null ? null : 'us-east-1'),
    pathStyle: url.pathStyle ?? endpoint !== null,
    encryption:
      url.encryption ?? s3Encryption(env('SLUICE_S3_SSE') ?? null, env('SLUICE_S3_KMS_KEY') ?? null, 'SLUICE_S3_SSE'),
    credentials: credentialsOf(env),
  })
}

function endpointOf(env: Env): string | null {
  const name = ['SLUICE_S3_ENDPOINT', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'].find((each) => env(each) !== undefined)
  return name === undefined ? null : s3Endpoint(env(name) ?? '', name)
}

function credentialsOf(env: Env): S3Access['credentials'] {
  const [accessKeyId, secretAccessKey, sessionToken] = [
    env('AWS_ACCESS_KEY_ID'),
    env('AWS_SECRET_ACCESS_KEY'),
    env('AWS_SESSION_TOKEN'),
  ]
  if (accessKeyId === undefined || secretAccessKey === undefined) return null
  return Object.freeze({ accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) })
}
