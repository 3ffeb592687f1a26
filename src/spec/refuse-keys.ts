import { formatPath, type Path, type Report } from './positions.ts'
import { isRecord, valueAt, withoutValue } from './record.ts'
import { looksLikeKey } from './secret.ts'

/**
 * Refuses a key where the name of its variable belongs, and a password in an address: a spec is stored, and shown, as it is.
 * Returns the value without them. No message holds what was refused.
 */
export function refuseKeys(value: unknown, report: Report): unknown {
  const fallback = valueAt(value, ['model', 'fallback'])
  const blocks: Path[] = [
    ['model'],
    ...(Array.isArray(fallback) ? fallback.map((_, index) => ['model', 'fallback', index]) : []),
  ]
  let left = value
  for (const block of blocks) {
    const model = valueAt(value, block)
    if (!isRecord(model)) continue
    if (refuseKey(model.api_key_env, [...block, 'api_key_env'], report))
      left = withoutValue(left, [...block, 'api_key_env'])
    if (refusePassword(model.base_url, [...block, 'base_url'], report))
      left = withoutValue(left, [...block, 'base_url'])
  }
  return left
}

/** Reports a key, or a reference to one, where the name of its variable belongs; returns whether it did. */
export function refuseKey(name: unknown, path: Path, report: Report): boolean {
  if (typeof name !== 'string') return false
  const reference = /^\$\{([A-Za-z_][A-Za-z0-9_]*)/.exec(name)
  if (reference !== null) {
    report.error(
      path,
      `${formatPath(path)} takes the name of a variable, not what is in it`,
      `Write ${reference[1]}, without \${ }.`,
    )
    return true
  }
  if (!looksLikeKey(name)) return false
  report.error(
    path,
    `${formatPath(path)} holds a key itself, not the name of a variable`,
    'Put the key into an environment variable, and its name here: OPENAI_API_KEY. A key that has stood in a file should be replaced.',
  )
  return true
}

/** Reports a password or a key in an address; returns whether it did. */
export function refusePassword(address: unknown, path: Path, report: Report): boolean {
  if (typeof address !== 'string' || !URL.canParse(address)) return false
  const url = new URL(address)
  const inQuery = [...url.searchParams.keys()].some((name) => /key|token|secret/i.test(name))
  if (url.username === '' && url.password === '' && !inQuery) return false
  report.error(
    path,
    `${formatPath(path)} holds a password or a key`,
    'Take it out of the address, and name its variable in api_key_env.',
  )
  return true
}
