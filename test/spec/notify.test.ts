import { describe, expect, it } from 'vitest'
import { loaded } from '../../src/spec/load.ts'
import { lines, readText, SMALLEST } from './spec-folder.ts'

const SECRET_URL = 'https://hooks.example/services/T000/B000/AbCdEfGhIjKlMnOpQrStUvWx12'
const env = { HOOK_URL: SECRET_URL, HOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', EMPTY: '' }
const read = (notify: string) => readText(`${SMALLEST}notify: ${notify}\n`, { env })
const withAlerts = (when: string, alerts: string) =>
  readText(`${SMALLEST}notify: [{ webhook: "\${HOOK_URL}", when: [${when}] }]\nalerts: ${alerts}\n`, { env })
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

describe('alerts', () => {
  const standard = { failedOver: 0.05, retriesOver: null, runningOver: 'deadline', costOverPlan: 0.2 }

  it('have their thresholds where somebody wants to hear of them', async () => {
    const { spec } = loaded(await read(`[{ webhook: "\${HOOK_URL}", when: [budget, alert] }]`))
    expect(spec.notify).toMatchObject([{ when: ['alert', 'budget'] }])
    expect(spec.alerts).toEqual(standard)
  })

  it('take thresholds of their own', async () => {
    const own = '{ failed_over: 0.5%, retries_over: 0.2, running_over: 6h, cost_over_plan: off }'
    const { spec } = loaded(await withAlerts('alert', own))
    expect(spec.alerts).toEqual({ failedOver: 0.005, retriesOver: 0.2, runningOver: 21_600_000, costOverPlan: null })
    const none = loaded(await withAlerts('alert', '{ failed_over: "off", running_over: "off", retries_over: 5% }'))
    expect(none.spec.alerts).toMatchObject({ failedOver: null, runningOver: null, retriesOver: 0.05 })
    expect(loaded(await withAlerts('alert', '{ running_over: deadline }')).spec.alerts).toEqual(standard)
  })

  it('that nobody hears of are no part of a spec, and that is said', async () => {
    const reading = await withAlerts('failed', '{ failed_over: 5% }')
    const without = loaded(await read(`[{ webhook: "\${HOOK_URL}", when: [failed] }]`))
    expect(loaded(reading).hash).toBe(without.hash)
    expect(without.canonicalJson).not.toContain('alerts')
    expect(lines(reading.findings).join('\n')).toContain('nobody hears of them')
  })

  it.each([
    ['{ failed_over: many }', 'must be a share such as 5% or 0.05, or off'],
    ['{ running_over: 6 }', 'must be a duration such as 6h, or deadline, or off'],
    ['{ running_over: late }', 'must be a duration such as 6h, or deadline, or off'],
    ['{ cost_over: 5% }', 'cost_over'],
  ])('%s is refused', async (alerts, message) => {
    expect(lines((await withAlerts('alert', alerts)).findings).join('\n')).toContain(message)
  })
})
