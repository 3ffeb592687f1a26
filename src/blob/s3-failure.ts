import type { S3Access } from './s3-access.ts'

/** What kind of trouble object storage is in: what the rooms above tell apart. */
export type S3Trouble =
  /** There is no such object, or the range lies outside of it. */
  | 'missing'
  /** The object is not the one that was asked for any more. */
  | 'changed'
  /** Nobody is there, or the answer is that it cannot be done now: worth another try later. */
  | 'unreachable'
  /** Somebody has to do something: permissions, keys, names, regions. */
  | 'refused'

/** A request to object storage that failed for good. The message names object and endpoint, the hint what to do; neither ever holds a key. */
export class S3Failure extends Error {
  readonly trouble: S3Trouble
  readonly hint: string

  constructor(trouble: S3Trouble, message: string, hint: string) {
    super(message)
    this.name = 'S3Failure'
    this.trouble = trouble
    this.hint = hint
  }
}

interface Cause {
  readonly trouble: S3Trouble
  readonly what: string
  readonly hint: string
}

/** What an SDK error tells: its S3 code or its name, Node's code, the HTTP status. */
interface Signs {
  readonly name: string
  readonly code: string
  readonly status: number
}

const NO_SUCH_BUCKET: Cause = {
  trouble: 'refused',
  what: 'there is no such bucket',
  hint: 'Create the bucket, or mend its name.',
}
const WRONG_KEYS: Cause = {
  trouble: 'refused',
  what: 'the access key is not accepted',
  hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair that this server knows.',
}
const EXPIRED: Cause = {
  trouble: 'refused',
  what: 'the session token has expired',
  hint: 'Sign in anew, or give the machine a role whose keys renew themselves.',
}
const WRONG_REGION: Cause = {
  trouble: 'refused',
  what: 'the bucket lies in another region',
  hint: "Set AWS_REGION, or region= in the address, to the bucket's region.",
}
const DENIED: Cause = {
  trouble: 'refused',
  what: 'access is denied',
  hint: 'The keys need s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket and s3:AbortMultipartUpload on the bucket.',
}

const BY_NAME: Readonly<Record<string, Cause>> = {
  NoSuchBucket: NO_SUCH_BUCKET,
  NoSuchKey: { trouble: 'missing', what: 'there is no such object', hint: 'See what is there: `aws s3 ls`.' },
  InvalidRange: {
    trouble: 'missing',
    what: 'it is shorter than expected',
    hint: 'The object was cut off or replaced.',
  },
  PreconditionFailed: {
    trouble: 'changed',
    what: 'it was replaced meanwhile',
    hint: 'Start again with the object as it is now.',
  },
  InvalidAccessKeyId: WRONG_KEYS,
  SignatureDoesNotMatch: WRONG_KEYS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  RequestTimeTooSkewed: {
    trouble: 'refused',
    what: 'the clock of this machine is more than a quarter of an hour off',
    hint: 'Set the clock.',
  },
  CredentialsProviderError: {
    trouble: 'refused',
    what: 'no keys were found',
    hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.',
  },
  PermanentRedirect: WRONG_REGION,
  AuthorizationHeaderMalformed: WRONG_REGION,
  IllegalLocationConstraintException: WRONG_REGION,
}

/** The failure that an error of the SDK is, told of `object` (`s3://bucket/key`) and what was `attempted` ("be read"). Aborts, defects and what is known already stay. */
export function asS3Failure(error: unknown, access: S3Access, object: string, attempted: string): unknown {
  if (error instanceof S3Failure || !(error instanceof Error) || error.name === 'AbortError' || isDefect(error)) {
    return error
  }
  const { trouble, what, hint } = causeOf(error)
  const signs = signsOf(error)
  const said = [signs.name !== 'Error' ? signs.name : signs.code, signs.status > 0 ? `HTTP ${signs.status}` : '']
  const detail = said.filter((part) => part !== '').join(', ')
  const at = access.endpoint ?? `AWS${access.region === null ? '' : `, ${access.region}`}`
  return new S3Failure(trouble, `${object} cannot ${attempted}: ${what} (${at}${detail && `; ${detail}`})`, hint)
}

/** Neither the server nor the network: code of ours, or of the SDK, that is wrong. */
function isDefect(error: Error): boolean {
  return (error instanceof TypeError || error instanceof RangeError) && !('$metadata' in error) && !('code' in error)
}

/** What the error's code, S3's or Node's, and its status are. */
export function signsOf(error: Error): Signs {
  const { code, Code, $metadata } = error as Error & {
    code?: string
    Code?: string
    $metadata?: { httpStatusCode?: number }
  }
  // What only says that nothing was said tells less than the status.
  const named = [Code, error.name].find((each) => each !== undefined && !/^(UnknownError|\d+)$/.test(each))
  return { name: named ?? 'Error', code: code ?? '', status: $metadata?.httpStatusCode ?? 0 }
}

function causeOf(error: Error): Cause {
  const signs = signsOf(error)
  const known = BY_NAME[signs.name]
  if (known !== undefined) return known
  if (/^Region is missing/.test(error.message)) {
    return { trouble: 'refused', what: 'no region is set', hint: 'Set AWS_REGION, or region= in the address.' }
  }
  return byStatus(signs) ?? byNetwork(error, signs)
}

function byStatus({ status }: Signs): Cause | null {
  if (status === 404) return BY_NAME.NoSuchKey as Cause
  if (status === 412) return BY_NAME.PreconditionFailed as Cause
  if (status === 416) return BY_NAME.InvalidRange as Cause
  if (status === 301 || status === 307) return WRONG_REGION
  if (status === 401 || status === 403) return DENIED
  if (status === 429 || status >= 500) {
    return {
      trouble: 'unreachable',
      what: 'the server is in trouble, or asked to slow down',
      hint: 'Go on when it is well again: nothing finished is lost.',
    }
  }
  if (status >= 400) {
    return {
      trouble: 'refused',
      what: 'the server refuses the request',
      hint: 'Check the address, the endpoint and the encryption that is asked for.',
    }
  }
  return null
}

function byNetwork(error: Error, { code }: Signs): Cause {
  const tls = /CERT|SSL|TLS/.test(code) ? 'its certificate is not trusted' : null
  const timedOut = error.name === 'TimeoutError' || code === 'ETIMEDOUT'
  return {
    trouble: 'unreachable',
    what: tls ?? (timedOut ? 'the server does not answer in time' : 'the server cannot be reached'),
    hint: 'Check the endpoint and the network; then go on: nothing finished is lost.',
  }
}
