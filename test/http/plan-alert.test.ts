import { describe, expect, it } from 'vitest'
import { startReceiver } from '../notify/receiver.ts'
import { bearer, openApi } from './api.ts'
import { spec, workUntilIdle } from './at-work.ts'
import { describedBy } from './openapi.ts'

const INPUT = `id,text,kind\n${Array.from({ length: 10 }, (_, at) => `r${at},text ${at},bad`).join('\n')}\n`

/** A job that costs three times what a plan expects, since each of its rows is asked three times, and whom it tells. */
async function plannedJob(config = '') {
  const receiver = await startReceiver(() => 204)
  const api = await openApi({
    config: `{ allow: { env: [HOOK_URL] }, ${config} }`,
    env: { HOOK_URL: receiver.url, SLUICE_NOTIFY_PRIVATE: '1' },
  })
  const ask = describedBy(api.app)
  const post = async (url: string, payload?: object) => ask({ method: 'POST', url, ...(payload && { payload }) })
  const document = spec('labels', {
    model: { id: 'simulator/labels', params: { max_output_tokens: 16 } },
    output: {
      fields: { topic: 'enum[a, b]' },
      checks: [{ that: "kind != 'bad'", message: 'bad rows fail' }],
      on_invalid: { attempts: 3 },
    },
    notify: [{ webhook: `\${HOOK_URL}`, when: ['completed', 'alert'] }],
    alerts: { failed_over: 'off' },
  })
  const { job_id: id } = (await post('/api/v1/jobs', { spec: document })).json<{ job_id: string }>()
  await ask({
    method: 'PUT',
    url: `/api/v1/jobs/${id}/input`,
    payload: INPUT,
    headers: { 'content-type': 'text/csv' },
  })
  const plan = async (headers = {}) =>
    (await ask({ method: 'POST', url: '/api/v1/plans', payload: { job_id: id }, headers })).json<{ plan: string }>()
      .plan
  const start = (query = '', headers = {}) => ask({ method: 'POST', url: `/api/v1/jobs/${id}/start${query}`, headers })
  /** Works to the end, and says what was told. */
  const told = async () => {
    await workUntilIdle(api)
    await expect
      .poll(async () => {
        await api.service.engine(1).sendNotices(new AbortController().signal)
        return receiver.received.some(({ body }) => JSON.parse(body).type.startsWith('job.completed'))
      })
      .toBe(true)
    return receiver.received.map(({ body }) => JSON.parse(body)).filter(({ type }) => type === 'job.alert')
  }
  return { api, id, plan, start, told }
}

describe('a plan of a job that waits to be started', () => {
  it('is what its cost is measured by: who is to hear hears when it costs more', async () => {
    const { id, plan, start, told } = await plannedJob()
    await plan()
    expect((await start()).statusCode).toBe(202)
    const alerts = await told()
    expect(alerts).toMatchObject([{ data: { job: id, alert: { rule: 'cost_over_plan', threshold: 0.2 } } }])
    expect(alerts[0].data.alert.value).toBeGreaterThan(1)
  })

  it('is none that was not made, or was made for another model', async () => {
    const unplanned = await plannedJob()
    await unplanned.start()
    expect(await unplanned.told()).toEqual([])
    const other = await plannedJob()
    await other.plan()
    expect((await other.start('?model=simulator%2Fother')).statusCode).toBe(202)
    expect(await other.told()).toEqual([])
  })

  it('can be asked for: a job starts by its latest plan, as long as that holds', async () => {
    const { plan, start, told } = await plannedJob()
    const first = await plan()
    const second = await plan()
    for (const query of [`?plan=${first}`, '?plan=plan_nobody', `?plan=${second}&model=simulator%2Fother`])
      expect((await start(query)).json()).toMatchObject({ status: 409, code: 'plan_stale' })
    expect((await start(`?plan=${second}`)).statusCode).toBe(202)
    // The same wish again is fulfilled; another plan than that by which it was started is none any more.
    for (const query of ['', `?plan=${second}`]) expect((await start(query)).statusCode).toBe(202)
    for (const query of [`?plan=${first}`, '?plan=plan_nobody'])
      expect((await start(query)).json()).toMatchObject({ status: 409, code: 'plan_stale' })
    expect(await told()).toHaveLength(1)
  })

  it('started by none, it is run by none', async () => {
    const { start } = await plannedJob()
    expect((await start()).statusCode).toBe(202)
    expect((await start('?plan=plan_nobody')).json()).toMatchObject({ status: 409, code: 'plan_stale' })
  })

  it('changes nothing where whoever makes it may only look', async () => {
    const { api, plan, start } = await plannedJob()
    const [submits, reads] = [bearer(await api.key(['submit', 'read'])), bearer(await api.key(['read']))]
    const kept = await plan(submits)
    const looked = await plan(reads)
    expect(looked).toMatch(/^plan_/)
    expect((await start(`?plan=${looked}`, submits)).json()).toMatchObject({ status: 409, code: 'plan_stale' })
    expect((await start(`?plan=${kept}`, submits)).statusCode).toBe(202)
  })
})
