import type * as sdk from '@aws-sdk/client-s3'
import type { S3Access } from './s3-access.ts'
import { asS3Failure } from './s3-failure.ts'

/** Requests are sent this often at most; the SDK waits between them, longer each time and with jitter (its `standard` mode). */
const ATTEMPTS = 5
const CONNECT_MS = 5_000
/** Until the answer begins; sending a part of 32 MB included. */
const ANSWER_MS = 120_000
/** Without a byte moving. */
export const IDLE_MS = 60_000
const SOCKETS = 64

/** The client of one bucket. */
export interface S3Client {
  readonly access: S3Access
  /** `s3://bucket/key`, for people. */
  nameOf(key: string): string
  /** Sends what `make` builds; rejects with an S3Failure that names the key and what was `attempted` ("be read"). */
  send<T>(
    key: string,
    attempted: string,
    request: (client: sdk.S3Client, commands: typeof sdk) => Promise<T>,
  ): Promise<T>
  close(): void
}

/** A client that loads the SDK, and opens sockets, with its first request only: who works on files pays nothing for it. */
export function createS3Client(access: S3Access): S3Client {
  let opening: Promise<{ client: sdk.S3Client; commands: typeof sdk }> | null = null
  const open = async () => {
    const commands = await import('@aws-sdk/client-s3')
    return { client: new commands.S3Client(configOf(access)), commands }
  }
  const nameOf = (key: string) => `s3://${access.bucket}/${key}`
  return Object.freeze({
    access,
    nameOf,
    async send<T>(
      key: string,
      attempted: string,
      request: (client: sdk.S3Client, commands: typeof sdk) => Promise<T>,
    ): Promise<T> {
      opening ??= open()
      const { client, commands } = await opening
      try {
        return await request(client, commands)
      } catch (error) {
        throw asS3Failure(error, access, nameOf(key), attempted)
      }
    },
    close() {
      void opening?.then(({ client }) => client.destroy())
    },
  })
}

function configOf(access: S3Access): sdk.S3ClientConfig {
  const { endpoint, region, credentials, pathStyle } = access
  // Other servers do not know the checksums that AWS takes by default: some store their framing as content.
  const checksums = endpoint === null ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  return {
    ...(endpoint !== null && { endpoint }),
    ...(region !== null && { region }),
    // A copy: the SDK notes in it where it came from.
    ...(credentials !== null && { credentials: { ...credentials } }),
    forcePathStyle: pathStyle,
    followRegionRedirects: endpoint === null,
    maxAttempts: ATTEMPTS,
    retryMode: 'standard',
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      socketTimeout: IDLE_MS,
      httpAgent: { keepAlive: true, maxSockets: SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: SOCKETS },
    },
  }
}
