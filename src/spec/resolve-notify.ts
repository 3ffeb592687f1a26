import { NOTIFY_BY_DEFAULT, type NoticeTarget } from '../domain/notice.ts'
import type { NotifySpec, Spec } from '../domain/spec.ts'
import type { Env } from './interpolate.ts'
import { readAddress } from './notify-address.ts'
import { formatPath, type Path, type Report } from './positions.ts'
import type { Pruned } from './resolve-model.ts'
import type { SpecFile } from './schema.ts'
import { looksLikeKey } from './secret.ts'

type NotifyBlock = NonNullable<Pruned<NonNullable<SpecFile['notify']>>[number]>

/** The block `notify`; nothing where it names nobody. Addresses from the environment stay names: they are secrets, and a spec is stored. */
export function resolveNotify(
  blocks: Pruned<NonNullable<SpecFile['notify']>> | undefined,
  report: Report,
): Pick<Spec, 'notify'> {
  const notify = (blocks ?? []).flatMap((block, index) => {
    const resolved = block === undefined ? null : resolveTarget(block, ['notify', index], report)
    return resolved === null ? [] : [resolved]
  })
  return notify.length === 0 ? {} : { notify }
}

function resolveTarget(block: NotifyBlock, path: Path, report: Report): NotifySpec | null {
  const { webhook, slack, secret_env: secretEnv } = block
  const kind = webhook === undefined ? 'slack' : 'webhook'
  const written = webhook ?? slack
  if (written === undefined || (webhook !== undefined && slack !== undefined)) {
    const what = written === undefined ? 'neither webhook nor slack' : 'both webhook and slack'
    report.error(path, `${formatPath(path)} has ${what}`, 'Give one of the two to each item of the list.')
    return null
  }
  if (secretEnv !== undefined && !isVariable(secretEnv)) {
    const hint = 'Put the secret into an environment variable, and its name here: HOOK_SECRET.'
    report.error(
      [...path, 'secret_env'],
      `${formatPath([...path, 'secret_env'])} takes the name of a variable, not what is in it`,
      hint,
    )
    return null
  }
  if (kind === 'slack' && secretEnv !== undefined) {
    report.error([...path, 'secret_env'], `${formatPath(path)}: Slack knows no signatures`, 'Remove secret_env.')
  }
  const address = addressOf(written, kind, [...path, kind], report)
  if (address === null) return null
  const when = (block.when ?? NOTIFY_BY_DEFAULT).filter((state) => state !== undefined)
  return { kind, address, secretEnv: secretEnv ?? null, when: [...new Set(when)].sort() }
}

function addressOf(
  text: string,
  kind: NoticeTarget['kind'],
  path: Path,
  report: Report,
): NoticeTarget['address'] | null {
  const read = readAddress(text, kind)
  if ('address' in read) return read.address
  report.error(path, `${formatPath(path)} ${read.problem}`, read.hint)
  return null
}

/** Reports the variables that `notify` names and that are not set here: better now than at the end of the job. */
export function requireNotifyVariables({ notify }: Spec, env: Env, report: Report): void {
  for (const [index, { kind, address, secretEnv }] of (notify ?? []).entries()) {
    const named: readonly (readonly [string, string | null])[] = [
      [kind, 'env' in address ? address.env : null],
      ['secret_env', secretEnv],
    ]
    for (const [key, variable] of named) {
      if (variable === null || (env(variable) ?? '') !== '') continue
      const path = ['notify', index, key]
      report.error(
        path,
        `${formatPath(path)}: the variable ${variable} is not set`,
        'Set it here, and wherever sluice works on the job: it is read when something is sent.',
      )
    }
  }
}

function isVariable(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !looksLikeKey(text)
}
