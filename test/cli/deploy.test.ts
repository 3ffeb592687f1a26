import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { openBlob } from '../../src/blob/open.ts'
import { readConfig } from '../../src/config.ts'
import { SluiceError } from '../../src/errors.ts'
import { migratePgBoss } from '../../src/queue/pg-boss-migrate.ts'
import { readServeConfig } from '../../src/serve-config/read.ts'
import { PLAIN_VALUES } from '../../src/serve-config/variables.ts'
import { ask } from '../postgres/ask.ts'
import { migratedDatabase, noPostgres } from '../postgres/database.ts'
import { cli } from './harness.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

const COMPOSE = 'compose.yaml'
const KUBERNETES = 'deploy/kubernetes/worker.yaml'
const SERVER = 'deploy/kubernetes/server.yaml'
const FILES = [COMPOSE, KUBERNETES, SERVER]

interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, unknown>>
}
const compose = parse(read(COMPOSE), { merge: true }) as { readonly services: Readonly<Record<string, Service>> }
const ours = Object.entries(compose.services).filter(([, service]) => service.image === 'sluice')

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly template?: {
      readonly spec: { readonly containers: readonly { image: string; args?: readonly string[] }[] }
    }
    readonly scaleTargetRef?: { readonly name: string }
    readonly selector?: Readonly<Record<string, unknown>>
    readonly triggers?: readonly { readonly metadata: Readonly<Record<string, string>> }[]
  }
}
const documents = [KUBERNETES, SERVER].flatMap((file) => parseAllDocuments(read(file)))
const manifests = documents.map((document) => document.toJS() as Manifest)

/** What their comments tell the reader to type: `docker compose run --rm sluice …`, and `sluice …` in backticks. */
function commandsInComments(text: string): readonly (readonly string[])[] {
  const comments = text.split('\n').filter((line) => /^\s*#/.test(line))
  const typed = comments.flatMap((line) => /docker compose run --rm sluice (\w.*)/.exec(line)?.[1] ?? [])
  const named = [...comments.join(' ').matchAll(/`sluice ([^`]+)`/g)].map((match) => match[1] as string)
  return [...typed, ...named].map((line) => line.trim().split(' '))
}

const commandLines: (readonly [string, readonly string[]])[] = [
  ...ours.flatMap(([name, { command }]) => (command ? [[`${COMPOSE}: ${name}`, command] as const] : [])),
  ...manifests.flatMap(({ metadata, spec }) =>
    (spec?.template?.spec.containers ?? []).map(({ args = [] }) => [`kubernetes: ${metadata.name}`, args] as const),
  ),
  ...FILES.flatMap((file) => commandsInComments(read(file)).map((args) => [`${file}: a comment`, args] as const)),
]

describe('compose.yaml and deploy/kubernetes', () => {
  it('are YAML without a fault, with the services and manifests that they speak of', () => {
    for (const { errors, warnings } of documents) expect([...errors, ...warnings]).toEqual([])
    expect(ours.map(([name]) => name)).toEqual(['migrate', 'server', 'worker', 'sluice'])
    for (const [, { depends_on = {} }] of ours)
      for (const name of Object.keys(depends_on)) expect(compose.services).toHaveProperty(name)
    expect(manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
      'Job/sluice-migrate',
      'Deployment/sluice-worker',
      'PodMonitor/sluice-worker',
      'ScaledObject/sluice-worker',
      'Deployment/sluice-server',
      'ConfigMap/sluice-serve',
      'Service/sluice',
    ])
    expect(manifests[6]?.spec?.selector).toEqual({ app: 'sluice-server' })
    expect(manifests[3]?.spec?.scaleTargetRef).toEqual({ name: 'sluice-worker' })
    expect(commandLines.length).toBeGreaterThan(6)
  })

  it.each(commandLines)('%s: %j is a command line that sluice takes', async (_, args) => {
    const reached = new SluiceError('storage', 'it went to work')
    const stop = async () => {
      throw reached
    }
    const { run, err } = cli(
      {},
      { env: { METRICS_TOKEN: 'a token' }, more: { openEngine: stop, openService: stop, migrate: stop } },
    )
    // The one thing that a command does before it opens the state is to make sure of its health file.
    const here = args.flatMap((arg) => {
      if (arg.startsWith('/tmp/')) return [join(tmpdir(), `sluice-${process.pid}-health`)]
      // What the image finds in a volume is read by a test of its own.
      return arg === '--config' || arg.startsWith('/etc/') ? [] : [arg]
    })
    expect(await run(...here), err()).toBe(1)
    expect(err()).toContain(reached.message)
    for (const arg of args)
      if (arg.startsWith('/sluice/')) expect(existsSync(new URL(`.${arg.slice(7)}`, root))).toBe(true)
  })

  it.each(FILES)('%s sets no variable of ours that nothing reads', (file) => {
    const readers = ['src/config.ts', 'src/blob/s3-access.ts'].map(read).join('\n')
    const known = new Set(PLAIN_VALUES.map(({ variable }) => variable))
    const named = new Set(read(file).match(/\b(SLUICE|AWS)_[A-Z0-9_]+/g))
    expect([...named].filter((name) => !known.has(name) && !readers.includes(`'${name}'`))).toEqual([])
  })

  it('configure the server as it can be configured', () => {
    const text = manifests.find(({ kind }) => kind === 'ConfigMap')?.data?.['serve.yaml'] ?? ''
    const config = readServeConfig({
      file: { name: 'serve.yaml', text },
      env: (name) => ({ METRICS_TOKEN: 'a token' })[name],
      flags: {},
    })
    expect(config).toMatchObject({
      publicUrl: 'https://sluice.example.com',
      telemetry: { metricsTokenEnv: 'METRICS_TOKEN' },
    })
    const { environment = {} } = compose.services.server ?? {}
    const inCompose = readServeConfig({ file: null, env: (name) => environment[name], flags: {} })
    expect(inCompose).toMatchObject({
      publicUrl: 'http://127.0.0.1:4777',
      allowance: { defaultModel: { id: 'openai' } },
    })
  })

  it('compose.yaml gives addresses that are understood, and keys that fit the object storage beside it', () => {
    for (const [, { environment = {} }] of ours) {
      const config = readConfig({}, environment, '/work')
      expect(config.shared).not.toBeNull()
      openBlob(config.shared?.blobUrl ?? '', config.env).close()
      expect(compose.services.minio?.environment).toEqual({
        MINIO_ROOT_USER: config.env('AWS_ACCESS_KEY_ID'),
        MINIO_ROOT_PASSWORD: config.env('AWS_SECRET_ACCESS_KEY'),
      })
      const database = new URL(config.shared?.databaseUrl ?? '')
      expect(compose.services.postgres?.environment).toEqual({
        POSTGRES_USER: database.username,
        POSTGRES_PASSWORD: database.password,
        POSTGRES_DB: database.pathname.slice(1),
      })
    }
  })

  it.skipIf(noPostgres !== null)(
    `the query that the number of workers follows gives a number (${noPostgres ?? 'PostgreSQL is there'})`,
    async () => {
      const database = await migratedDatabase()
      try {
        await migratePgBoss({ url: database.url })
        const [trigger] = manifests.flatMap(({ spec }) => spec?.triggers ?? [])
        // As KEDA asks: over a connection that knows nothing of our schema.
        const rows = await ask<Record<string, unknown>>(database.url, trigger?.metadata.query ?? '')
        expect(rows.map((row) => Object.values(row).map(Number))).toEqual([[0]])
      } finally {
        await database.drop()
      }
    },
  )
})
