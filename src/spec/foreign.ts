import { type Allowance, modelOf } from '../domain/allowance.ts'
import type { ModelTarget } from '../domain/request.ts'
import type { PriceSpec, Spec } from '../domain/spec.ts'
import type { Env } from './interpolate.ts'
import { readSpecObject } from './load.ts'
import { newReport, type Path, type Report, sortFindings } from './positions.ts'
import { isPrivateHost } from './public-address.ts'
import type { SpecReading } from './reading.ts'
import { isRecord, valueAt, withValue } from './record.ts'

/** What paths in a spec are relative to that nobody may follow. */
const NOWHERE = '/nonexistent'

/**
 * Reads a spec that comes over the network. It may name nothing of this machine and its surroundings that the allowance does not name: no file, no
 * variable, no key, no address. `input.source` is the name of what is uploaded. Throws nothing for what is wrong with the spec.
 */
export async function readForeignSpec(
  value: unknown,
  options: { readonly allowance: Allowance; readonly env: Env; readonly name: string },
): Promise<SpecReading> {
  const { allowance, name } = options
  const env: Env = (variable) => (allowance.env.includes(variable) ? options.env(variable) : undefined)
  const reading = await readSpecObject(withKnownModels(value, allowance), name, NOWHERE, { env, disk: false })
  if (reading.draft === null) return reading
  const report = newReport(reading.positions)
  refuseForeign(reading.draft, allowance, report)
  return { ...reading, findings: sortFindings([...reading.findings, ...report.findings]) }
}

/** Models that the operator has named, or that are named without their provider, are put in with their address, the name of their key, and their price. */
function withKnownModels(value: unknown, allowance: Allowance): unknown {
  const model = valueAt(value, ['model'])
  if (!isRecord(model)) return value
  const known = knownBlock(model, allowance)
  const { fallback } = model
  if (!Array.isArray(fallback)) return withValue(value, ['model'], known)
  return withValue(value, ['model'], {
    ...known,
    fallback: fallback.map((each) => (isRecord(each) ? knownBlock(each, allowance) : each)),
  })
}

function knownBlock(block: Readonly<Record<string, unknown>>, allowance: Allowance): Readonly<Record<string, unknown>> {
  if (typeof block.id !== 'string') return block
  if ((block.base_url ?? null) !== null || (block.api_key_env ?? null) !== null) return block
  const known = modelOf(block.id, allowance)
  if (known === null) return block
  return {
    ...block,
    id: known.id,
    ...(known.baseUrl !== null && { base_url: known.baseUrl }),
    ...(known.apiKeyEnv !== null && { api_key_env: known.apiKeyEnv }),
    ...(known.price !== undefined && { price: written(known.price) }),
  }
}

function written({ input, output, cachedInput, cacheWrite }: PriceSpec): Readonly<Record<string, string>> {
  return {
    input,
    output,
    ...(cachedInput !== null && { cached_input: cachedInput }),
    ...(cacheWrite !== undefined && { cache_write: cacheWrite }),
  }
}

/** Reports whatever the spec names and may not. */
function refuseForeign(spec: Spec, allowance: Allowance, report: Report): void {
  const { input, write } = spec
  if (input.sql !== null) {
    report.error(
      ['input', 'sql'],
      'input.sql reads files of the server',
      'Upload the rows, and name them: source: rows.csv.',
    )
  }
  if (input.source !== null && isAddress(input.source) && !isBelow(input.source, allowance.inputs)) {
    report.error(['input', 'source'], 'input.source lies where this server does not read', askOperator('allow.inputs'))
  }
  if (write !== null && !(isAddress(write.path) && isBelow(write.path, allowance.writes))) {
    report.error(['write', 'path'], 'write.path lies where this server does not write', 'Download the results instead.')
  }
  if (spec.execution.limits !== null && Object.values(spec.execution.limits).some((limit) => limit !== null)) {
    report.error(
      ['execution', 'limits'],
      "execution.limits would hold for every tenant on the model's account",
      'Leave them out, or slow this job down alone: execution.concurrency.max.',
    )
  }
  refuseTarget(spec.model.target, ['model'], allowance, report)
  for (const [index, { target }] of spec.model.fallback.entries()) {
    refuseTarget(target, ['model', 'fallback', index], allowance, report)
  }
  refuseNotify(spec, allowance, report)
}

function refuseNotify({ notify }: Spec, allowance: Allowance, report: Report): void {
  for (const [index, { address, secretEnv }] of (notify ?? []).entries()) {
    if ('url' in address && allowance.privateNotices !== true && isPrivateHost(new URL(address.url))) {
      report.error(
        ['notify', index],
        `notify[${index}] leads into a private network`,
        'Name an address that is reached from everywhere. Who runs the server can allow others: SLUICE_NOTIFY_PRIVATE=1.',
      )
    }
    for (const variable of ['env' in address ? address.env : null, secretEnv]) {
      if (variable === null || allowance.env.includes(variable)) continue
      report.error(['notify', index], `notify[${index}] names the variable ${variable}`, askOperator('allow.env'))
    }
  }
}

function refuseTarget(target: ModelTarget, path: Path, allowance: Allowance, report: Report): void {
  const { baseUrl, apiKeyEnv } = target
  const known = [
    ...Object.values(allowance.models),
    ...(allowance.defaultModel === null ? [] : [allowance.defaultModel]),
  ]
  if (known.some((model) => model.baseUrl === baseUrl && model.apiKeyEnv === apiKeyEnv)) return
  if (baseUrl !== null && !isBelow(baseUrl, allowance.baseUrls)) {
    report.error(
      [...path, 'base_url'],
      'base_url is an address that this server does not ask',
      askOperator('allow.base_urls'),
    )
  }
  if (apiKeyEnv !== null && !allowance.keyEnvs.includes(apiKeyEnv)) {
    report.error([...path, 'api_key_env'], `api_key_env names the variable ${apiKeyEnv}`, askOperator('allow.key_envs'))
  }
}

function askOperator(setting: string): string {
  return `Who runs the server can allow it: ${setting}.`
}

function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
}

/** Whether an address is one of `places`, or lies below one: `s3://a` does not hold `s3://ab`, nor `http://h:80` what is at `http://h:8080`. */
function isBelow(address: string, places: readonly string[]): boolean {
  if (/(^|\/)\.\.?(\/|$)|%2e|\\/i.test(address)) return false
  return places.some((place) => {
    const folder = place.endsWith('/') ? place : `${place}/`
    return address === place || address.startsWith(folder)
  })
}
