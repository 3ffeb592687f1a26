import { formatPath, type Path, type Report, toPointer } from './positions.ts'
import { isRecord } from './record.ts'
import { namesSecret, startsLikeKey } from './secret.ts'

/** Reads one variable of the environment. */
export type Env = (name: string) => string | undefined

/** `$${…}` stands for a literal `${…}`; `${` that begins no variable is caught by the last alternative. */
const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g

/**
 * `value` with `${NAME}` and `${NAME:-default}` read from the environment in all texts except prompts, and addresses to
 * notify, which are secrets and stay names.
 * A variable that is missing, and one that holds a secret, is an error at its place; no value of a variable is ever in a message.
 * `touched` are the pointers of texts that came from the environment as a whole.
 */
export function interpolate(
  value: unknown,
  env: Env,
  report: Report,
): { value: unknown; touched: ReadonlySet<string> } {
  const touched = new Set<string>()
  const walk = (each: unknown, path: Path): unknown => {
    if (path[0] === 'prompt') return each
    if (typeof each === 'string') return fill(each, path)
    if (Array.isArray(each)) return each.map((item, index) => walk(item, [...path, index]))
    if (!isRecord(each)) return each
    return Object.fromEntries(Object.entries(each).map(([key, part]) => [key, walk(part, [...path, key])]))
  }
  const fill = (text: string, path: Path): string => {
    if (!text.includes('${')) return text
    if (path.at(-1) === 'api_key_env' || path[0] === 'notify') return text
    if (/^\$\{[^}]*\}$/.test(text)) touched.add(toPointer(path))
    return text.replace(REFERENCE, (match, name: string | undefined, standard: string | undefined) => {
      if (match === '$${') return '${'
      if (name === undefined) return noVariable(match, text, path, report)
      return read(name, standard, path, env, report)
    })
  }
  return { value: walk(value, []), touched }
}

function read(name: string, standard: string | undefined, path: Path, env: Env, report: Report): string {
  const found = env(name)
  const value = found === undefined || (found === '' && standard !== undefined) ? standard : found
  if (value === undefined) {
    report.error(
      path,
      `${formatPath(path)}: the variable ${name} is not set`,
      `Set it, or give a default: \${${name}:-…}.`,
    )
    return ''
  }
  // Not by its looks alone: a commit or a run's id is as long and as mixed as a key.
  if (namesSecret(name) || startsLikeKey(value)) {
    report.error(
      path,
      `${formatPath(path)}: ${name} looks like a secret, and a spec is stored as it is`,
      'Secrets are given by the name of their variable: model.api_key_env.',
    )
    return ''
  }
  return value
}

function noVariable(match: string, text: string, path: Path, report: Report): string {
  const shown = text.slice(text.indexOf(match)).slice(0, 24)
  report.error(
    path,
    `${formatPath(path)}: "${shown}" names no variable`,
    `Write \${NAME} or \${NAME:-default}; $\${ stands for a literal \${.`,
  )
  return match
}
