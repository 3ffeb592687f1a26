import { type Failure, failure } from '../domain/failure.ts'
import { isRecord } from './json.ts'
import { cleanMessage } from './message.ts'

/** What the codes of Node, undici and OpenSSL mean, in the words of whom they hit. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the other side closed the connection',
  EPIPE: 'the other side closed the connection',
  UND_ERR_SOCKET: 'the other side closed the connection',
  UND_ERR_CLOSED: 'the connection pool was closed',
  UND_ERR_DESTROYED: 'the connection pool was closed',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer was cut short',
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: 'the name of the host could not be looked up',
  ETIMEDOUT: 'no connection in time',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EPROTO: 'the two sides could not agree on TLS; is it https there?',
  CERT_HAS_EXPIRED: "the host's certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the host's certificate is signed by itself; NODE_EXTRA_CA_CERTS can name it",
  SELF_SIGNED_CERT_IN_CHAIN: "the host's certificate has an unknown issuer; NODE_EXTRA_CA_CERTS can name it",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the host's certificate has an unknown issuer; NODE_EXTRA_CA_CERTS can name it",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the host's certificate has an unknown issuer; NODE_EXTRA_CA_CERTS can name it",
  ERR_TLS_CERT_ALTNAME_INVALID: "the host's certificate is for another name",
}

/** What fails in the same way however often it is tried, and is no matter of the connection. */
const TOO_LONG: readonly string[] = ['UND_ERR_RES_EXCEEDED_MAX_SIZE', 'ERR_BUFFER_TOO_LARGE']

/** The failure in an error that the network threw: no reply was read in full. */
export function classifyNetwork(thrown: unknown, secret: string | null): Failure {
  const code = codeOf(thrown)
  if (code !== null && TOO_LONG.includes(code)) {
    return failure('provider_error', 'the reply is longer than sluice reads (32 MiB)', {
      providerCode: code,
      retryable: false,
    })
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return failure('timeout', 'no answer in time', { providerCode: code })
  }
  if (code === 'SILENCE')
    return failure('timeout', 'nothing moved on the connection for too long', { providerCode: code })
  // A proxy's own page, or a reply packed in another way than it says.
  if (code?.startsWith('Z_') || code?.startsWith('ERR__ERROR_')) {
    return failure('connection', 'the reply could not be unpacked', { providerCode: code })
  }
  const known = code === null ? undefined : MEANINGS[code]
  const words = known ?? (thrown instanceof Error && thrown.message !== '' ? thrown.message : 'the connection broke')
  return failure('connection', cleanMessage(words, secret), { providerCode: code })
}

/** Failures from before a connection stood: the other side has not heard of the request. */
const NOT_HEARD: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPROTO',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]

/** Whether an error that the network threw says for certain that the request was never heard. */
export function wasNotHeard(thrown: unknown): boolean {
  return NOT_HEARD.includes(codeOf(thrown) ?? '')
}

/** The code of an error or of what caused it: happy eyeballs hide the true one in an AggregateError. */
function codeOf(thrown: unknown, depth = 0): string | null {
  if (!isRecord(thrown) || depth > 4) return null
  if (typeof thrown.code === 'string') return thrown.code
  const inner = Array.isArray(thrown.errors) ? thrown.errors[0] : thrown.cause
  return codeOf(inner, depth + 1)
}
