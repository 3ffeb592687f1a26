import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csv, type Served, serve } from './served.ts'

interface Told {
  readonly id: string
  readonly event: string
  readonly data: { readonly [name: string]: unknown }
}

const eventsOf = ({ url }: Served, id: string) => `${url}/api/v1/jobs/${id}/events`

/** Whole events of an answer; comments and one that was cut off do not count. */
function toldIn(text: string): Told[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((block) =>
      Object.fromEntries(block.split('\n').map((line) => [line.split(': ', 1)[0], line.replace(/^\w*: ?/, '')])),
    )
    .filter((fields) => fields.id !== undefined)
    .map(({ id = '', event = '', data = '' }) => ({ id, event, data: JSON.parse(data) as Told['data'] }))
}

const wordOf = ({ event, data }: Told) => (event === 'job.state' ? String(data.to) : event)

describe('events of a job', () => {
  it('tells what happened, in order, and ends with the job', async () => {
    const served = await serve()
    const id = await served.create({ spec: { execution: { chunk_rows: 10 } } })
    const followed = fetch(eventsOf(served, id)).then(async (answer) => {
      expect(answer.headers.get('content-type')).toBe('text/event-stream')
      return toldIn(await answer.text())
    })
    await fetch(`${served.url}/api/v1/jobs/${id}/input`, { method: 'PUT', body: csv(40) })
    await served.work(id)
    const live = await followed
    const words = live.map(wordOf)
    expect(words.filter((word) => word === 'chunk.done')).toHaveLength(4)
    expect(words.filter((word) => word !== 'chunk.done')).toStrictEqual([
      'queued',
      'running',
      'finalizing',
      'completed',
    ])
    expect(words.slice(-2)).toStrictEqual(['finalizing', 'completed'])
    const chunk = live.find(({ event }) => event === 'chunk.done')?.data
    expect(chunk).toMatchObject({ job_id: id, state: 'done', rows: { total: 10, succeeded: 10 } })
    expect(
      live
        .filter(({ event }) => event === 'chunk.done')
        .map(({ data }) => data.chunk_id)
        .toSorted(),
    ).toStrictEqual([0, 1, 2, 3])

    // Whoever comes later is told the same, from wherever he was.
    const later = toldIn(await (await fetch(eventsOf(served, id))).text())
    expect(later.map(wordOf).toSorted()).toStrictEqual(words.toSorted())
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: later.length - 2 }), async (at) => {
        const headers = { 'last-event-id': later[at]?.id ?? '' }
        const rest = toldIn(await (await fetch(eventsOf(served, id), { headers })).text())
        expect(rest).toStrictEqual(later.slice(at + 1))
      }),
      { numRuns: 6 },
    )
    const over = await fetch(`${eventsOf(served, id)}?after=${later.at(-1)?.id}`)
    expect([over.status, await over.text()]).toStrictEqual([204, ''])
    expect((await fetch(`${eventsOf(served, id)}?after=x`)).status).toBe(400)
    expect((await fetch(eventsOf(served, `${id}0`))).status).toBe(404)
  })

  it('tells the same to all who follow a job', async () => {
    const served = await serve()
    const id = await served.create()
    const leave = new AbortController()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => fetch(eventsOf(served, id), { signal: leave.signal })),
    )
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    const texts = answers.map((answer) => answer.text())
    await served.service.engine(1).cancel(id)
    for (const text of texts) expect(toldIn(await text).map(wordOf)).toStrictEqual(['cancelled'])
    leave.abort()
  })
})
