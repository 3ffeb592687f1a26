import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { SluiceError } from '../../errors.ts'
import { differences } from '../../spec/diff.ts'
import type { SpecVersion } from '../../store/role/specs.ts'
import { exactly, json, mapping, moment, oneOfTexts, pageOf, problem, ref } from '../answer.ts'
import { audit } from '../audit-entry.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { limitOf, PAGE_QUERY, readCursor, readNumberCursor, writeCursor } from './cursor.ts'
import { assertSpecSize } from './spec-size.ts'

const summary = {
  name: Type.String(),
  version: Type.Integer({ description: 'From 1.' }),
  hash: Type.String({ description: 'What the version is: equal specs have equal hashes.' }),
  published_at: moment('When it was published.'),
}
/** A version of a spec, without what it says. */
export const SPEC_SUMMARY = exactly(summary, { $id: 'SpecSummary' })
/** A version of a spec. */
export const SPEC = exactly({ ...summary, spec: mapping('The document as it was sent.') }, { $id: 'PublishedSpec' })
const DIFFERENCE = exactly({
  path: Type.String({ description: 'JSON pointer.' }),
  change: oneOfTexts(['added', 'removed', 'changed']),
  before: Type.Optional(Type.Unsafe<unknown>({ description: 'Absent where it was added.' })),
  after: Type.Optional(Type.Unsafe<unknown>({ description: 'Absent where it was removed.' })),
})

const version = Type.Integer({ minimum: 1, maximum: 1e9 })
const NAME_PATH = exactly({ name: Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\u0000]*$' }) })
const VERSION_QUERY = exactly({ version: Type.Optional(version) })
const DIFF_QUERY = exactly({
  from: version,
  to: Type.Optional(Type.Integer({ minimum: 1, maximum: 1e9, description: 'Default: the latest.' })),
})

/** Adds the routes of specs that are kept by name, version by version. */
export function specRoutes(app: App, deps: HttpDeps): void {
  addLists(app, deps)
  addSpec(app, deps)
  addPublish(app, deps)
  addDiff(app, deps)
}

function addLists(app: App, { service }: HttpDeps): void {
  app.get(
    '/api/v1/specs',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listSpecs',
        summary: 'Published specs by name, each in its latest version',
        tags: ['specs'],
        querystring: exactly(PAGE_QUERY),
        response: { 200: json('A page of specs.', pageOf(ref(SPEC_SUMMARY))) },
      },
    },
    async ({ principal, query }) => {
      const after = readCursor('spec', query.cursor)
      const limit = limitOf(query)
      const found = await service.specs.published(principal.tenantNo, {
        limit: limit + 1,
        ...(after !== null && { after }),
      })
      const items = found.slice(0, limit)
      const next = found.length > limit ? (items.at(-1)?.name ?? null) : null
      return { items: items.map(summaryJson), next_cursor: writeCursor('spec', next) }
    },
  )
  app.get(
    '/api/v1/specs/:name/versions',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listSpecVersions',
        summary: 'The versions of a spec, newest first',
        tags: ['specs'],
        params: NAME_PATH,
        querystring: exactly(PAGE_QUERY),
        response: { 200: json('A page of versions.', pageOf(ref(SPEC_SUMMARY))), 404: problem('No such spec.') },
      },
    },
    async ({ principal, params, query }) => {
      const before = readNumberCursor('version', query.cursor)
      const limit = limitOf(query)
      const page = { limit: limit + 1, ...(before !== null && { before }) }
      const found = await service.specs.versions(principal.tenantNo, params.name, page)
      if (found.length === 0 && before === null) throw missing(params.name)
      const items = found.slice(0, limit)
      const next = found.length > limit ? (items.at(-1)?.version ?? null) : null
      return { items: items.map(summaryJson), next_cursor: writeCursor('version', next) }
    },
  )
}

function addSpec(app: App, deps: HttpDeps): void {
  app.get(
    '/api/v1/specs/:name',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getSpec',
        summary: 'A published spec, as it was sent',
        tags: ['specs'],
        params: NAME_PATH,
        querystring: VERSION_QUERY,
        response: {
          200: json('The spec; its `ETag` is the hash of the version.', ref(SPEC)),
          304: { type: 'null', description: 'It still is the version of `If-None-Match`.' },
          404: problem('No such spec, or no such version.'),
        },
      },
    },
    async ({ principal, params, query, headers }, reply) => {
      const spec = await versionOf(deps, principal.tenantNo, params.name, query.version ?? null)
      void reply.header('etag', etagOf(spec))
      if (matches(headers['if-none-match'], spec)) return reply.code(304).send(null)
      return specJson(spec)
    },
  )
}

function addPublish(app: App, deps: HttpDeps): void {
  const { service, runtime, config } = deps
  const published = ref(SPEC)
  app.put(
    '/api/v1/specs/:name',
    {
      config: { scope: 'submit' },
      schema: {
        operationId: 'publishSpec',
        summary: 'Publish a spec under its name, as its next version',
        description:
          'Scope: `submit`. With `If-Match` only on top of that version; with `If-None-Match: *` only where there is none yet.',
        tags: ['specs'],
        params: NAME_PATH,
        body: mapping('The spec: what a spec file holds. Its `name` is that of the address.'),
        response: {
          200: json('It was that version already.', published),
          201: json('The new version.', published),
          400: problem('The body is no mapping.'),
          412: problem('It is not the version any more that `If-Match` names, or there is one already.'),
          422: problem('The spec has errors; all of them are listed.'),
        },
      },
    },
    async (request, reply) => {
      const { tenantNo } = request.principal
      const { name } = request.params
      assertSpecSize(request.body, config.limits)
      const { spec, hash } = await service.specDesk(tenantNo).read(request.body)
      if (spec.name !== name) {
        throw new SluiceError(
          'spec_invalid',
          `the spec is called ${JSON.stringify(spec.name)}, the address ${JSON.stringify(name)}`,
        )
      }
      const latest = await service.specs.version(tenantNo, name, null)
      const atMs = runtime.now()
      const source = JSON.stringify(request.body)
      const kept = await service.specs.publish({ tenantNo, name, hash, source, atMs }, onTopOf(request, latest))
      if (kept === null) throw changed(name)
      const isNew = kept.version !== latest?.version
      if (isNew) await audit(deps, request, 'spec.publish', name, `version ${kept.version}`)
      void reply.code(isNew ? 201 : 200).header('etag', etagOf(kept))
      return specJson(kept)
    },
  )
}

function addDiff(app: App, deps: HttpDeps): void {
  app.get(
    '/api/v1/specs/:name/diff',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'diffSpec',
        summary: 'In what two versions of a spec differ',
        tags: ['specs'],
        params: NAME_PATH,
        querystring: DIFF_QUERY,
        response: {
          200: json(
            'What was added, removed and changed.',
            exactly({ from: ref(SPEC_SUMMARY), to: ref(SPEC_SUMMARY), differences: Type.Array(DIFFERENCE) }),
          ),
          404: problem('No such spec, or no such version.'),
        },
      },
    },
    async ({ principal, params, query }) => {
      const from = await versionOf(deps, principal.tenantNo, params.name, query.from)
      const to = await versionOf(deps, principal.tenantNo, params.name, query.to ?? null)
      const found = differences(JSON.parse(from.source), JSON.parse(to.source))
      return { from: summaryJson(from), to: summaryJson(to), differences: [...found] }
    },
  )
}

async function versionOf(
  { service }: HttpDeps,
  tenantNo: number,
  name: string,
  no: number | null,
): Promise<SpecVersion> {
  const found = await service.specs.version(tenantNo, name, no)
  if (found === null) throw missing(name, no)
  return found
}

function missing(name: string, no: number | null = null): SluiceError {
  const which = no === null ? '' : ` in version ${no}`
  return new SluiceError('spec_not_found', `there is no spec ${JSON.stringify(name)}${which} here`)
}

function changed(name: string): SluiceError {
  return new SluiceError('spec_changed', `the spec ${JSON.stringify(name)} is not what the request was made on top of`)
}

/** On top of which version the request may publish; `null`: of whatever is there. Throws SluiceError `spec_changed` where that is known to be another. */
function onTopOf({ headers, params }: FastifyRequest, latest: SpecVersion | null): number | null {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  const { name } = params as { readonly name: string }
  if (ifNoneMatch !== undefined) {
    if (latest !== null && matches(ifNoneMatch, latest)) throw changed(name)
    return latest?.version ?? 0
  }
  if (ifMatch === undefined) return null
  if (latest === null || !matches(ifMatch, latest)) throw changed(name)
  return latest.version
}

/** Whether a list of entity tags (RFC 9110, 8.8.3) names this version, also as weak ones: proxies that pack answers make them so, and a hash is of one version only. */
function matches(tags: string | undefined, spec: SpecVersion): boolean {
  if (tags === undefined) return false
  const list = tags.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return list.includes('*') || list.includes(etagOf(spec))
}

function etagOf({ hash }: SpecVersion): string {
  return `"${hash}"`
}

function summaryJson({ name, version: no, hash, atMs }: SpecVersion): Static<typeof SPEC_SUMMARY> {
  return { name, version: no, hash, published_at: new Date(atMs).toISOString() }
}

function specJson(spec: SpecVersion): Static<typeof SPEC> {
  return { ...summaryJson(spec), spec: JSON.parse(spec.source) as object }
}
