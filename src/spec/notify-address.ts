import type { NoticeTarget } from '../domain/notice.ts'
import { looksLikeKey } from './secret.ts'

/** An address as somebody wrote it who wants to be told: read, or what is wrong with it, after its name in a sentence. */
export type AddressRead =
  | { readonly address: NoticeTarget['address'] }
  | { readonly problem: string; readonly hint: string }

/** Reads `${HOOK_URL}`, or an address of the web that holds no secret. Nothing that is said of it shows the address: it may be a secret as a whole. */
export function readAddress(text: string, kind: NoticeTarget['kind']): AddressRead {
  const variable = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text)?.[1]
  if (variable !== undefined) return { address: { env: variable } }
  const byVariable = `Put the address into an environment variable, and write \${HOOK_URL}.`
  if (text.includes('${')) {
    return {
      problem: 'takes one variable as a whole',
      hint: `Put the whole address into it: \${HOOK_URL}, without a default.`,
    }
  }
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    return { problem: 'is no address of the web', hint: `Expected https://…, or a variable. ${byVariable}` }
  if (kind === 'slack') return { problem: 'holds an address that is a secret', hint: byVariable }
  const { username, password, search, pathname } = new URL(text)
  if (username !== '' || password !== '' || search !== '' || pathname.split('/').some(looksLikeKey))
    return { problem: 'holds an address that may be a secret', hint: byVariable }
  return { address: { url: text } }
}
