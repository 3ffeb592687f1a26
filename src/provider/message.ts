/** Characters of a provider's message that are kept. */
const MESSAGE_CAP = 300

/** What keys look like: by the prefixes of their makers, as a bearer token, or quoted back in a message about a wrong key. */
const KEYS: readonly RegExp[] = [
  /\bsk-[\w*-]{8,}/g,
  /\b(?:pk|rk|gsk|xai|pplx|csk|hf|r8|fw|nvapi|tgp_v1)[-_](?=[\w*-]*\d)[\w*-]{16,}/g,
  /\bAIza[\w*-]{10,}/g,
  /\bBearer\s+[\w*.~+/=-]{6,}/gi,
  /(?<=\bapi[ -]key(?: provided)?: )[^\s,;]*[^\s,;.]/gi,
  /(?<=[?&](?:key|api_key|token)=)[^&\s]+/gi,
]

/**
 * A provider's words as one line of at most 300 characters that is safe to show and to keep: control characters become
 * spaces, `secret` and whatever looks like a key become `[key]`.
 */
export function cleanMessage(text: string, secret: string | null): string {
  // A short secret (a placeholder such as "none") would blot out ordinary words.
  const safe = secret === null || secret.length < 8 ? text : text.replaceAll(secret, '[key]')
  let line = isHtml(safe) ? describeHtml(safe) : safe.slice(0, 10 * MESSAGE_CAP)
  for (const key of KEYS) line = line.replace(key, '[key]')
  line = line.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return line.length <= MESSAGE_CAP ? line : `${line.slice(0, MESSAGE_CAP - 1)}…`
}

/** Whether a body is a web page: what proxies and gateways answer with. */
export function isHtml(text: string): boolean {
  return /^\s*(?:<!doctype html|<html|<head|<body|<\?xml)/i.test(text)
}

function describeHtml(text: string): string {
  const title = /<(title|h1)[^>]*>([^<]*)<\/\1>/i.exec(text.slice(0, 20_000))?.[2]?.trim()
  return title === undefined || title === '' ? 'a web page' : `a web page, “${title}”`
}
