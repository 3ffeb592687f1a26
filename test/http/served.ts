import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Api, openApi } from './api.ts'

/** The server's app, listening, with what its callers do to it. */
export interface Served extends Api {
  readonly port: number
  readonly url: string
  /** Creates a job whose input is to be uploaded; its id. */
  create(options?: JobOptions): Promise<string>
  /** Creates a job, uploads its rows, and works on it until it stands still. */
  finished(rows: number, options?: JobOptions): Promise<string>
  /** Works on the job until it stands still. */
  work(id: string): Promise<void>
}

export interface JobOptions {
  readonly source?: string
  readonly columnsHint?: readonly string[]
  /** Parts of the spec beside those that every job here has. */
  readonly spec?: Readonly<Record<string, unknown>>
  readonly tenantNo?: number
}

/** Opens the API of the test (see `openApi`), and lets it listen on this machine. It turns nobody away because the machine is busy. `limits`: as in YAML. */
export async function serve(limits = ''): Promise<Served> {
  const api = await openApi({ config: `limits: { loop_delay: 60s${limits === '' ? '' : `, ${limits}`} }` })
  await api.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = api.app.server.address() as AddressInfo
  const create = async ({ source = 'rows.csv', columnsHint, spec = {}, tenantNo = 1 }: JobOptions = {}) => {
    const { job } = await api.service.jobs(tenantNo).create({
      id: `job_${api.runtime.uuid()}`,
      spec: {
        version: 1,
        name: 'rows',
        input: { source },
        model: { id: 'simulator/fast' },
        prompt: { user: '{{ text }}' },
        output: { fields: { topic: 'enum[billing, login, other]' } },
        ...spec,
      },
      trigger: 'http',
      triggerRef: null,
      jobKey: null,
      columnsHint: columnsHint ?? null,
    })
    return job.id
  }
  const work = async (id: string) => {
    const never = new AbortController().signal
    await api.service.engine(1).work(id, { signal: never, abandon: never })
  }
  return {
    ...api,
    port,
    url: `http://127.0.0.1:${port}`,
    create,
    work,
    async finished(rows, options) {
      const id = await create(options)
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/jobs/${id}/input`, { method: 'PUT', body: csv(rows) })
      if (answer.status !== 201) throw new Error(await answer.text())
      await work(id)
      return id
    },
  }
}

/** A table of `rows` rows. */
export function csv(rows: number): string {
  return `id,text\n${Array.from({ length: rows }, (_, index) => `r${index},"I was charged twice, number ${index}"`).join('\n')}\n`
}

/** What an address answers, with its body as text. */
export interface Heard {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A request by hand: `send` writes its body as it likes, or breaks the connection. */
export function ask(
  url: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> },
  send?: (request: ReturnType<typeof httpRequest>) => void,
): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { ...options, agent: false }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (text: string) => {
        body += text
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }))
      answer.on('error', reject)
    })
    request.on('error', reject)
    if (send === undefined) request.end()
    else send(request)
  })
}

/** Looks until it is so. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}
