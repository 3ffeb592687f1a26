import { Ajv2020 } from 'ajv/dist/2020.js'
import formatsPlugin from 'ajv-formats'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import type { App } from '../../src/http/http-deps.ts'

/** One operation of the description. */
export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: object }>> }>
  >
}

export interface Description {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** What a request was answered, once it was found to be as the description of its route says. */
export interface Answered extends LightMyRequestResponse {
  readonly operationId: string
}

/** Asks like `app.inject`, and throws where an answer is not what the server's own description says of it: status, media type, and every field. */
export function describedBy(app: App) {
  const description = app.swagger() as unknown as Description
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formatsPlugin.default(ajv)
  ajv.addSchema({ $id: 'api', ...description })
  const routes = Object.entries(description.paths).map(([path, operations]) => ({
    path,
    operations,
    pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}/?$`),
  }))
  return async (options: InjectOptions & { readonly method: string; readonly url: string }): Promise<Answered> => {
    const answer = await app.inject(options)
    const [path = ''] = options.url.split('?', 1)
    const route = routes.filter(({ pattern }) => pattern.test(path)).sort((a, b) => braces(a.path) - braces(b.path))[0]
    const operation = route?.operations[options.method.toLowerCase()]
    if (route === undefined || operation === undefined) throw new Error(`${options.method} ${path} is not described`)
    const where = `${options.method} ${route.path} ${answer.statusCode}`
    const response = operation.responses[String(answer.statusCode)]
    if (response === undefined) throw new Error(`${where} is not described: ${answer.body.slice(0, 500)}`)
    const [type = ''] = String(answer.headers['content-type'] ?? '').split(';')
    if (response.content === undefined) {
      if (answer.body !== '') throw new Error(`${where} has a body that is not described`)
      return Object.assign(answer, { operationId: operation.operationId })
    }
    if (response.content[type]?.schema === undefined) throw new Error(`${where} as ${type} is not described`)
    const pointer = [
      'paths',
      route.path,
      options.method.toLowerCase(),
      'responses',
      String(answer.statusCode),
      'content',
      type,
      'schema',
    ]
    const value = /json$/.test(type) && type !== 'application/x-ndjson' ? (answer.json() as unknown) : answer.body
    const reference = `api#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`
    const fits = ajv.getSchema(reference) ?? ajv.compile({ $ref: reference })
    if (!fits(value))
      throw new Error(`${where} is not as described: ${ajv.errorsText(fits.errors)}\n${answer.body.slice(0, 800)}`)
    return Object.assign(answer, { operationId: operation.operationId })
  }
}

function braces(path: string): number {
  return path.split('{').length
}
