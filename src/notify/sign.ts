import { Webhook } from 'standardwebhooks'

/** There is no secret to sign with. Its message holds nothing of what is there. */
export class UnusableSecret extends Error {
  override name = 'UnusableSecret'
}

const SECRET = /^(?:whsec_)?[A-Za-z0-9+/]+={0,2}$/

/**
 * The headers of an attempt after Standard Webhooks 1.0.0: the same id at every attempt, and the time of this one, which whoever checks the signature
 * compares with his clock. Of several secrets, with spaces between, each signs: so one is exchanged for another without a message that nobody can check.
 * Throws `UnusableSecret`.
 */
export function signedHeaders(
  message: { readonly id: string; readonly body: string },
  secret: string | null,
  nowMs: number,
): Readonly<Record<string, string>> {
  const seconds = Math.floor(nowMs / 1000)
  const headers = { 'webhook-id': message.id, 'webhook-timestamp': String(seconds) }
  if (secret === null) return headers
  const secrets = secret.split(' ').filter((part) => part !== '')
  if (secrets.length === 0 || !secrets.every(isUsable))
    throw new UnusableSecret('the secret is none of Standard Webhooks: whsec_ and the base64 of 24 to 64 bytes')
  const sign = (one: string) => new Webhook(one).sign(message.id, new Date(seconds * 1000), message.body)
  return { ...headers, 'webhook-signature': secrets.map(sign).join(' ') }
}

function isUsable(secret: string): boolean {
  const bytes = SECRET.test(secret) ? Buffer.from(secret.replace(/^whsec_/, ''), 'base64').length : 0
  return bytes >= 24 && bytes <= 64
}
