/** Prefixes that keys of known providers start with, and secrets that sign. */
const KEY_PREFIX = /^(sk-|sk_|AIza|gsk_|xai-|pk-|r8_|hf_|ghp_|nvapi-|AKIA|whsec_|Bearer )/

/** Names of variables whose value is a secret. */
const SECRET_NAME = /(^|_)(API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?)($|_)/i

/** Whether `text` begins as the keys of a known provider do. */
export function startsLikeKey(text: string): boolean {
  return KEY_PREFIX.test(text)
}

/** Whether `text` looks like a key where none belongs: as above, or long and without any word in it. It errs on the side of yes. */
export function looksLikeKey(text: string): boolean {
  if (startsLikeKey(text)) return true
  if (text.length < 24 || /\s/.test(text)) return false
  const mixed = /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d/.test(text)
  const hex = /^[0-9a-f-]{32,}$/i.test(text) && /\d/.test(text)
  const run = /[A-Za-z0-9]{24,}/.test(text) && /\d/.test(text)
  return (mixed && run) || hex
}

/** Whether a variable of this name holds a secret, which a stored spec must not. */
export function namesSecret(variable: string): boolean {
  return SECRET_NAME.test(variable)
}

/** A value for a message: short, and never a key. */
export function showValue(value: unknown): string {
  if (value === null) return 'nothing'
  if (typeof value === 'string') {
    if (value === '') return 'an empty text'
    if (looksLikeKey(value)) return 'what looks like a key'
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  }
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  return String(value)
}
