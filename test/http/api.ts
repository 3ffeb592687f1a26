import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { mintApiKey, SECRET_BYTES } from '../../src/access/api-key.ts'
import { openService } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import { SCOPES, type Scope } from '../../src/domain/access.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { createApp } from '../../src/http/app.ts'
import type { App } from '../../src/http/http-deps.ts'
import { type Runtime, secretBytes, systemRuntime } from '../../src/runtime.ts'
import { readServeConfig } from '../../src/serve-config/read.ts'
import type { ServeConfig } from '../../src/serve-config.ts'
import type { Service } from '../../src/service.ts'
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts'
import { openBackEnd } from '../scenario/back-end.ts'

export interface Api {
  readonly app: App
  readonly service: Service
  readonly config: ServeConfig
  readonly runtime: Runtime
  /** Tells the server to stop, as its process is told. */
  stop(): void
  /** Makes a tenant; its number. */
  tenant(name: string): Promise<number>
  /** Makes a key of a tenant (default: the default one); its text. */
  key(scopes?: readonly Scope[], tenantNo?: number, more?: { readonly expiresAtMs: number }): Promise<string>
}

export interface ApiSetting {
  readonly env?: Readonly<Record<string, string>>
  /** YAML of the server's configuration. */
  readonly config?: string
  readonly runtime?: Partial<Runtime>
  /** Turn requests away where the process has more to do than it can. @default false */
  readonly pressure?: boolean
  /** What the routes see in place of the service. */
  readonly seen?: (service: Service) => Service
}

/**
 * The server's app over a store of its own, which goes with the test: a file, or, with `SLUICE_TEST_BACK_END=postgres`, a database. It listens nowhere, and
 * nobody works on its jobs.
 */
export async function openApi(setting: ApiSetting = {}): Promise<Api> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-http-'))
  const env = (name: string) => setting.env?.[name]
  const runtime: Runtime = { ...systemRuntime(), ...setting.runtime }
  const file = setting.config === undefined ? null : { name: 'serve.yaml', text: setting.config }
  const read = readServeConfig({ file, env, flags: { port: 0 } })
  // A machine that is busy with other tests is no reason to turn anybody away.
  const config =
    setting.pressure === true ? read : { ...read, limits: { ...read.limits, loopDelayMs: 0, memoryBytes: 0 } }
  const backEnd = await openBackEnd(folder)
  const surroundings = readConfig({}, { ...setting.env, ...backEnd.env })
  const service = await openService(surroundings, config.allowance, runtime, '0.0.0-test')
  const stop = new AbortController()
  const stopping = stop.signal
  const app = await createApp({
    service: setting.seen?.(service) ?? service,
    config,
    runtime,
    version: '0.0.0-test',
    env,
    telemetry: NO_TELEMETRY,
    stopping,
  })
  await app.ready()
  onTestFinished(async () => {
    stop.abort()
    const closed = app.close()
    // An answer whose last byte the test has may not have ended here, and its connection would be waited for.
    app.server.closeAllConnections()
    await closed
    await service.close()
    await backEnd.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    app,
    service,
    config,
    runtime,
    stop: () => stop.abort(),
    async tenant(name) {
      const tenant = await service.tenants.add(name, NO_CAPS, runtime.now())
      if (tenant === null) throw new Error(`there is a tenant ${name} already`)
      return tenant.tenantNo
    },
    async key(scopes = SCOPES, tenantNo = 1, more) {
      const id = `key_${runtime.uuid()}`
      const { text, secretHash } = mintApiKey(id, secretBytes(SECRET_BYTES))
      const createdAtMs = runtime.now()
      await service.keys.add({
        id,
        tenantNo,
        name: 'test',
        scopes,
        secretHash,
        createdAtMs,
        expiresAtMs: more?.expiresAtMs ?? null,
      })
      return text
    },
  }
}

/** The header that names a key. */
export function bearer(key: string): { readonly authorization: string } {
  return { authorization: `Bearer ${key}` }
}
