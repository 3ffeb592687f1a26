import { describe, expect, it } from 'vitest'
import { loaded } from '../../src/spec/load.ts'
import { lines, readText, SMALLEST } from './spec-folder.ts'

const SECRET_URL = 'https://hooks.example/services/T000/B000/AbCdEfGhIjKlMnOpQrStUvWx12'
const env = { HOOK_URL: SECRET_URL, HOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', EMPTY: '' }
const read = (notify: string) => readText(`${SMALLEST}notify: ${notify}\n`, { env })
const messages = async (notify: string) => lines((await read(notify)).findings).join('\n')

describe('notify', () => {
  it('keeps the names of variables, and nothing that is in them', async () => {
    const { spec, canonicalJson } = loaded(
      await read(`[{ webhook: "\${HOOK_URL}", secret_env: HOOK_SECRET, when: [paused, completed, paused] }]`),
    )
    expect(spec.notify).toEqual([
      { kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: 'HOOK_SECRET', when: ['completed', 'paused'] },
    ])
    expect(canonicalJson).toContain('HOOK_URL')
    expect(canonicalJson).not.toContain('hooks.example')
    expect(canonicalJson).not.toContain('whsec')
  })

  it('takes an address that is no secret as it is, and tells of ends and pauses by default', async () => {
    const { spec } = loaded(await read('[{ webhook: "https://hooks.example/sluice" }]'))
    expect(spec.notify).toEqual([
      {
        kind: 'webhook',
        address: { url: 'https://hooks.example/sluice' },
        secretEnv: null,
        when: ['completed', 'failed', 'paused'],
      },
    ])
  })

  it('of nobody leaves a spec what it was', async () => {
    const without = loaded(await readText(SMALLEST))
    expect(loaded(await read('[]')).hash).toBe(without.hash)
    expect(without.canonicalJson).not.toContain('notify')
  })

  it.each([
    ['[{ when: [failed] }]', 'has neither webhook nor slack'],
    [`[{ webhook: "\${HOOK_URL}", slack: "\${HOOK_URL}" }]`, 'has both webhook and slack'],
    [`[{ slack: "${SECRET_URL}" }]`, 'holds an address that is a secret'],
    [`[{ webhook: "${SECRET_URL}" }]`, 'holds an address that may be a secret'],
    ['[{ webhook: "https://me:pw@hooks.example/" }]', 'holds an address that may be a secret'],
    ['[{ webhook: "https://hooks.example/?token=x" }]', 'holds an address that may be a secret'],
    [`[{ webhook: "https://\${HOOK_URL}/x" }]`, 'takes one variable as a whole'],
    ['[{ webhook: "ftp://hooks.example" }]', 'is no address of the web'],
    [`[{ webhook: "\${NOT_SET}" }]`, 'the variable NOT_SET is not set'],
    [`[{ webhook: "\${EMPTY}" }]`, 'the variable EMPTY is not set'],
    [`[{ webhook: "\${HOOK_URL}", secret_env: NOT_SET }]`, 'secret_env: the variable NOT_SET is not set'],
    [`[{ webhook: "\${HOOK_URL}", secret_env: "\${HOOK_SECRET}" }]`, 'takes the name of a variable'],
    [`[{ webhook: "\${HOOK_URL}", secret_env: ${env.HOOK_SECRET} }]`, 'takes the name of a variable'],
    [`[{ slack: "\${HOOK_URL}", secret_env: HOOK_SECRET }]`, 'Slack knows no signatures'],
    [`[{ webhook: "\${HOOK_URL}", when: [] }]`, 'must not be empty'],
    [`[{ webhook: "\${HOOK_URL}", when: [done] }]`, 'must be'],
  ])('%s is refused, and no secret is shown', async (notify, message) => {
    const said = await messages(notify)
    expect(said).toContain(message)
    expect(said).toContain('s.yaml:5')
    expect(said).not.toContain('AbCdEf')
    expect(said).not.toContain('MfKQ9')
  })
})
