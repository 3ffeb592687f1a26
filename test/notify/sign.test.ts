import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { signedHeaders, UnusableSecret } from '../../src/notify/sign.ts'

const secretOf = (bytes: Uint8Array) => `whsec_${Buffer.from(bytes).toString('base64')}`
const SECRET = secretOf(new Uint8Array(32).fill(7))

describe('a signature', () => {
  it('is verified by the package of the standard, whatever is signed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        fc.string({ unit: 'binary' }),
        fc.uuid(),
        (bytes, text, id) => {
          const message = { id: `msg_${id}`, body: JSON.stringify({ text }) }
          const headers = signedHeaders(message, secretOf(bytes), Date.now())
          expect(new Webhook(secretOf(bytes)).verify(message.body, headers)).toEqual({ text })
          expect(() => new Webhook(secretOf(bytes)).verify(`${message.body} `, headers)).toThrow()
        },
      ),
      { numRuns: 50 },
    )
  })

  it('is the same as the one in the specification of Standard Webhooks', () => {
    const message = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      body: '{"test": 2432232314}',
    }
    expect(signedHeaders(message, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 1_614_265_330_000)).toEqual({
      'webhook-id': message.id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it('is made with each secret where one is being exchanged for another', () => {
    const message = { id: 'msg_1', body: '{}' }
    const next = secretOf(new Uint8Array(24).fill(9))
    const headers = signedHeaders(message, `${next} ${SECRET}`, Date.now())
    for (const secret of [SECRET, next]) expect(new Webhook(secret).verify(message.body, headers)).toEqual({})
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2)
    expect(() => signedHeaders(message, `${SECRET} whsec_short`, 0)).toThrow(UnusableSecret)
  })

  it('is left out where there is no secret', () => {
    expect(Object.keys(signedHeaders({ id: 'msg_1', body: '{}' }, null, 0))).toEqual([
      'webhook-id',
      'webhook-timestamp',
    ])
  })

  it.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'not base64 at all, and long enough', secretOf(new Uint8Array(65))])(
    'is not made with %j, and nothing says what was there',
    (secret) => {
      expect(() => signedHeaders({ id: 'msg_1', body: '{}' }, secret, 0)).toThrow(UnusableSecret)
      try {
        signedHeaders({ id: 'msg_1', body: '{}' }, SECRET.slice(0, 12), 0)
      } catch (error) {
        expect((error as Error).message).not.toContain(SECRET.slice(6, 12))
      }
    },
  )
})
