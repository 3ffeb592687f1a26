import { readFileSync } from 'node:fs'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { expect, it } from 'vitest'
import { type HttpDescription, httpReference } from '../../scripts/http-docs.ts'
import { ELSEWHERE } from '../../src/http/openai/elsewhere.ts'
import { openApi } from './api.ts'
import type { Description } from './openapi.ts'

/** Rules of Redocly's `recommended` that do not hold here, and why. */
const OFF = {
  // The description itself, which nobody has to be known for, knows no mistakes of its caller.
  'operation-4xx-response': 'off',
} as const

it('is OpenAPI 3.1 in which a linter finds nothing', async () => {
  const { app } = await openApi()
  const source = (await app.inject({ url: '/api/v1/openapi.json' })).body
  const config = await createConfig({ extends: ['recommended'], rules: OFF })
  const problems = await lintFromString({ source, config })
  expect(
    problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer ?? ''}`),
  ).toEqual([])
})

it('describes every route of the server but those of whoever runs it, each with a name of its own', async () => {
  const { app } = await openApi()
  const { paths } = app.swagger() as unknown as Description
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{([^}]+)\}/g, ':$1')}`),
  )
  const routes = app.printRoutes({ commonPrefix: false, includeHooks: false })
  const hidden = ['/livez', '/readyz', '/metrics']
  for (const path of hidden) expect(routes).toContain(path.slice(1))
  const ids = Object.values(paths).flatMap((operations) =>
    Object.values(operations).map(({ operationId }) => operationId),
  )
  expect(new Set(ids).size).toBe(ids.length)
  // Names of models hold slashes: their route takes the rest of the address.
  const notShown = [...hidden, ...Object.keys(ELSEWHERE)]
  const isShown = (route: string) => !notShown.some((path) => route.endsWith(path)) && !/^HEAD |\*$/.test(route)
  const served = routesOf(routes).filter(isShown)
  expect([...described].sort()).toEqual([...new Set(served)].sort())
})

it('is what docs/http-api.md says', async () => {
  const { app } = await openApi()
  const page = readFileSync(new URL('../../docs/http-api.md', import.meta.url), 'utf8')
  const reference = httpReference(app.swagger() as unknown as HttpDescription)
  expect(page.includes(reference), 'run `node scripts/write-http-docs.ts`').toBe(true)
})

/** `GET /api/v1/jobs/:id`, …, read from the tree that the server draws of its routes. */
function routesOf(tree: string): string[] {
  const trail: string[] = []
  return tree.split('\n').flatMap((line) => {
    const match = /^((?:│ {3}| {4})*)(?:├── |└── )(\S+)(?: \(([^)]*)\))?/.exec(line)
    if (match === null) return []
    const [, indent = '', part = '', methods] = match
    const depth = indent.length / 4
    trail.length = depth
    trail[depth] = part
    const path = trail.join('')
    return (methods ?? '')
      .split(', ')
      .filter((method) => method !== '')
      .map((method) => `${method} ${path.length > 1 ? path.replace(/\/$/, '') : path}`)
  })
}
