import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openService } from '../src/compose.ts'
import { readConfig } from '../src/config.ts'
import { createApp } from '../src/http/app.ts'
import { systemRuntime } from '../src/runtime.ts'
import { readServeConfig } from '../src/serve-config/read.ts'
import { NO_TELEMETRY } from '../src/telemetry/telemetry.ts'
import { type HttpDescription, httpReference } from './http-docs.ts'

/** Writes the reference in `docs/http-api.md` from the routes themselves: `node scripts/write-http-docs.ts`. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'))
const env = () => undefined
const config = readServeConfig({ file: null, env, flags: { port: 0 } })
const runtime = systemRuntime()
const service = await openService(readConfig({ dataDir: folder }, {}), config.allowance, runtime, '0')
const stopping = new AbortController().signal
const app = await createApp({ service, config, runtime, version: '0', env, telemetry: NO_TELEMETRY, stopping })
await app.ready()

const docs = new URL('../docs/http-api.md', import.meta.url)
const written = /(<!-- routes: written by scripts\/write-http-docs\.ts -->\n)[\s\S]*?(<!-- end of routes -->)/
const reference = httpReference(app.swagger() as unknown as HttpDescription)
const text = readFileSync(docs, 'utf8')
writeFileSync(
  docs,
  text.replace(written, (_match, begin: string, end: string) => `${begin}\n${reference}\n\n${end}`),
)

await app.close()
await service.close()
rmSync(folder, { recursive: true, force: true })
