import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mintApiKey, parseApiKey, SECRET_BYTES, secretMatches } from '../../src/access/api-key.ts'
import { secretBytes, uuidv7 } from '../../src/runtime.ts'

const random = fc.uint8Array({ minLength: SECRET_BYTES, maxLength: SECRET_BYTES })
const ids = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 47 }), fc.uint8Array({ minLength: 10, maxLength: 10 }))
  .map(([ms, bytes]) => `key_${uuidv7(ms, bytes)}`)

describe('an API key', () => {
  it('says which it is, and its secret is known by its hash', () => {
    fc.assert(
      fc.property(ids, random, random, (id, bytes, others) => {
        const { text, secretHash } = mintApiKey(id, bytes)
        const given = parseApiKey(text)
        expect(given?.id).toBe(id)
        expect(given?.secret).toHaveLength(43)
        expect(secretMatches(given!.secret, secretHash)).toBe(true)
        const other = mintApiKey(id, others)
        expect(secretMatches(given!.secret, other.secretHash)).toBe(other.text === text)
      }),
    )
  })

  it('has nothing of its secret in its hash', () => {
    const { text, secretHash } = mintApiKey('key_01934f5e-0000-7000-8000-000000000000', secretBytes(SECRET_BYTES))
    expect(text).toMatch(/^slk_01934f5e-0000-7000-8000-000000000000_[A-Za-z0-9_-]{43}$/)
    expect(secretHash).toMatch(/^[0-9a-f]{64}$/)
    expect(text).not.toContain(secretHash)
  })

  it('is no other text', () => {
    const { text } = mintApiKey('key_01934f5e-0000-7000-8000-000000000000', new Uint8Array(SECRET_BYTES))
    const wrong = [
      text.slice(0, -1),
      `${text}A`,
      ` ${text}`,
      `${text}\n`,
      text.replace('slk_', 'sk_'),
      text.toUpperCase(),
      '',
    ]
    expect(wrong.map(parseApiKey)).toEqual(wrong.map(() => null))
    fc.assert(fc.property(fc.string(), (other) => parseApiKey(other) === null))
  })

  it('is refused where what was kept is no hash', () => {
    expect(secretMatches('secret', '')).toBe(false)
    expect(secretMatches('secret', 'zz')).toBe(false)
  })
})
