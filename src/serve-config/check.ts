import { readAddress } from '../spec/notify-address.ts'
import { formatPath, type Path, type Report } from '../spec/positions.ts'
import { refuseKey, refusePassword } from '../spec/refuse-keys.ts'
import { resolvePrice } from '../spec/resolve-model.ts'
import type { ServeFile } from './schema.ts'

/** A secret that is shorter can be found by trying (RFC 7518, section 3.2). */
const SECRET_CHARS = 32

type Env = (name: string) => string | undefined

/** Reports what a shape cannot say: what belongs together, what a variable must hold, and what must not stand in a file. */
export function checkServeFile(file: ServeFile, env: Env, report: Report): void {
  checkJwt(file, env, report)
  checkModels(file, report)
  checkNotify(file, env, report)
  const { traces_url: tracesUrl, metrics_token_env: tokenEnv } = file.telemetry ?? {}
  refusePassword(tracesUrl, ['telemetry', 'traces_url'], report)
  if (tokenEnv !== undefined) requireVariable(tokenEnv, ['telemetry', 'metrics_token_env'], env, report)
  if (file.public_url !== undefined && /[?#]/.test(file.public_url))
    report.error(['public_url'], 'public_url ends with its path', 'Leave out what stands after ? or #.')
  for (const [index, url] of (file.allow?.base_urls ?? []).entries())
    requirePath(url, ['allow', 'base_urls', index], report)
  for (const name of ['inputs', 'writes'] as const)
    for (const [index, prefix] of (file.allow?.[name] ?? []).entries())
      requireStorage(prefix, ['allow', name, index], report)
}

function checkJwt({ jwt }: ServeFile, env: Env, report: Report): void {
  if (jwt === undefined) return
  if ((jwt.secret_env === undefined) === (jwt.jwks_url === undefined)) {
    const both = jwt.secret_env !== undefined
    report.error(
      ['jwt'],
      `jwt has ${both ? 'both' : 'neither'} secret_env ${both ? 'and' : 'nor'} jwks_url`,
      'Give one.',
    )
  }
  if (jwt.secret_env === undefined) return
  const path = ['jwt', 'secret_env']
  const secret = requireVariable(jwt.secret_env, path, env, report)
  if (secret !== null && secret.length < SECRET_CHARS)
    report.error(
      path,
      `the secret in ${jwt.secret_env} has fewer than ${SECRET_CHARS} characters`,
      'Make a longer one.',
    )
}

/** The variables are read by whoever sends, which may be a worker elsewhere: that they are set here says they are no slip of the pen. */
function checkNotify({ openai_notify: notify }: ServeFile, env: Env, report: Report): void {
  if (notify === undefined) return
  checkHook(notify, ['openai_notify'], env, report)
  for (const [tenant, hook] of Object.entries(notify.tenants ?? {}))
    checkHook(hook, ['openai_notify', 'tenants', tenant], env, report)
}

function checkHook(
  { webhook, secret_env: secretEnv }: { readonly webhook?: string; readonly secret_env?: string },
  at: Path,
  env: Env,
  report: Report,
): void {
  if (secretEnv !== undefined) requireVariable(secretEnv, [...at, 'secret_env'], env, report)
  if (webhook === undefined) {
    if (secretEnv !== undefined) report.error(at, `${formatPath(at)} signs what goes nowhere`, 'Give a webhook, too.')
    return
  }
  const path = [...at, 'webhook']
  const read = readAddress(webhook, 'webhook')
  if ('problem' in read) report.error(path, `${formatPath(path)} ${read.problem}`, read.hint)
  else if ('env' in read.address) requireVariable(read.address.env, path, env, report)
}

function checkModels(file: ServeFile, report: Report): void {
  const places: [Path, { readonly base_url?: string; readonly api_key_env?: string }][] = []
  if (file.default_model !== undefined) {
    places.push([['default_model'], file.default_model])
    requireAddress(file.default_model.provider, file.default_model.base_url, ['default_model'], report)
  }
  for (const [name, model] of Object.entries(file.models ?? {})) {
    const path = ['models', name]
    const { id, base_url: baseUrl } = typeof model === 'string' ? { id: model, base_url: undefined } : model
    requireAddress(id.split('/')[0] as string, baseUrl, path, report)
    if (typeof model === 'string') continue
    places.push([path, model])
    resolvePrice(model.price, [...path, 'price'], report)
  }
  for (const [path, model] of places) {
    refuseKey(model.api_key_env, [...path, 'api_key_env'], report)
    refusePassword(model.base_url, [...path, 'base_url'], report)
  }
}

function requireAddress(provider: string, baseUrl: string | undefined, path: Path, report: Report): void {
  if (provider !== 'openai-compatible' || baseUrl !== undefined) return
  report.error(
    path,
    `${formatPath(path)} has no base_url`,
    'A compatible server has no address of its own: give its base_url.',
  )
}

/** The variable's value; reports it where it is not set. */
function requireVariable(name: string, path: Path, env: Env, report: Report): string | null {
  if (refuseKey(name, path, report)) return null
  const value = env(name)
  if (value === undefined)
    report.error(path, `the variable ${name} is not set`, `Set it, or take ${formatPath(path)} out.`)
  return value ?? null
}

/** `https://api.example.com` as a prefix lets in `https://api.example.com.evil.org`. */
function requirePath(url: string, path: Path, report: Report): void {
  if (/^https?:\/\/[^/]+\//.test(url)) return
  report.error(path, `${formatPath(path)} is a prefix that ends within a host`, 'End it with a slash.')
}

function requireStorage(prefix: string, path: Path, report: Report): void {
  if (/^s3:\/\/[^/]+\//.test(prefix)) return
  report.error(path, `${formatPath(path)} must be object storage, with a slash after the bucket`, 's3://bucket/prefix/')
}
