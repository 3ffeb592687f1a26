import OpenAI from 'openai'
import { expect, it } from 'vitest'
import { batchNotice } from '../../src/notify/batch-notice.ts'
import { signedHeaders } from '../../src/notify/sign.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const target = { kind: 'webhook', address: { env: 'OPENAI_HOOK_URL' }, secretEnv: 'OPENAI_HOOK_SECRET' } as const
const ID = '019ab3c4-0000-7000-8000-0123456789ab'

it.each(['completed', 'failed', 'expired', 'cancelled'] as const)(
  "the official client takes the news of a batch that is %s for one of OpenAI's",
  async (status) => {
    const atMs = Date.now()
    const notice = batchNotice({ id: `batch_${ID}`, status, atMs }, target)
    expect(notice).toMatchObject({ id: `msg_${ID}`, type: `batch.${status}`, target })
    const client = new OpenAI({ apiKey: 'none', webhookSecret: SECRET })
    expect(await client.webhooks.unwrap(notice.body, signedHeaders(notice, SECRET, atMs))).toEqual({
      id: `evt_${ID}`,
      object: 'event',
      created_at: Math.floor(atMs / 1000),
      type: `batch.${status}`,
      data: { id: `batch_${ID}` },
    })
    await expect(client.webhooks.unwrap(`${notice.body} `, signedHeaders(notice, SECRET, atMs))).rejects.toThrow()
  },
)
