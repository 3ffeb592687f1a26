import { Webhook } from 'standardwebhooks'

/** There is no secret to sign with. Its message holds nothing of what is there. */
export class UnusableSecret extends Error {
  override name = 'UnusableSecret'
}

const SECRET = /^(?:whsec_)?[A-Za-z0-9+/]+={0,2}$/

/**
 * The headers of an attempt after Standard Webhooks 1.0.0: the same id at every attempt, and the time of this one, which whoever checks the signature
 * compares with his clock. Throws `UnusableSecret`.
 */
export function signedHeaders(
  message: { readonly id: string; readonly body: string },
  secret: string | null,
  nowMs: number,
): Readonly<Record<string, string>> {
  const seconds = Math.floor(nowMs / 1000)
  const headers = { 'webhook-id': message.id, 'webhook-timestamp': String(seconds) }
  if (secret === null) return headers
  const bytes = SECRET.test(secret) ? Buffer.from(secret.replace(/^whsec_/, ''), 'base64').length : 0
  if (bytes < 24 || bytes > 64)
    throw new UnusableSecret('the secret is none of Standard Webhooks: whsec_ and the base64 of 24 to 64 bytes')
  const signature = new Webhook(secret).sign(message.id, new Date(seconds * 1000), message.body)
  return { ...headers, 'webhook-signature': signature }
}
