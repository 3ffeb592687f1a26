import { type ExitCode, type Finding, formatPlace, type SluiceError } from '../errors.ts'
import { knownError } from './known-error.ts'
import type { Style } from './style.ts'
import { printableLines } from './terminal-text.ts'

/** An error for people, with the exit code it means. What was not raised on purpose gets one line, and its stack only at `debug`. */
export function errorText(
  error: unknown,
  style: Style,
  debug: boolean,
): { readonly text: string; readonly exitCode: ExitCode } {
  const known = knownError(error)
  if (known !== null) {
    const lines = knownErrorLines(known, style)
    if (debug) lines.push(stackOf(known))
    return { text: lines.join('\n'), exitCode: known.exitCode }
  }
  const message = error instanceof Error ? error.message : String(error)
  const lines = [`${style.red('error:')} ${safe(message)}`]
  if (debug && error instanceof Error) lines.push(stackOf(error))
  if (!debug) lines.push(`  ${style.dim('SLUICE_LOG_LEVEL=debug shows where it came from.')}`)
  return { text: lines.join('\n'), exitCode: 1 }
}

/** Message, place and hint; or message, findings and hint. Nothing is said twice. */
function knownErrorLines(error: SluiceError, style: Style): string[] {
  const findings = error.findings.filter((finding) => finding.message !== error.message)
  const lines = [`${style.red('error:')} ${safe(error.message)}`]
  if (findings.length === 0 && error.place !== null) lines.push(`  at ${formatPlace(error.place)}`)
  for (const finding of findings) lines.push(...findingLines(finding, style))
  if (!findings.some((finding) => finding.hint === error.hint)) lines.push(`  ${style.dim(safe(error.hint))}`)
  return lines
}

/** `error tickets.yaml:17:9  message`, and the hint below it. */
export function findingLines(finding: Finding, style: Style): string[] {
  const tone = { error: style.red, warning: style.yellow, ok: style.green }[finding.severity]
  const place = finding.place === null ? '' : `${formatPlace(finding.place)}  `
  const lines = [`${tone(finding.severity)} ${place}${safe(finding.message)}`]
  if (finding.hint !== null) lines.push(`  ${style.dim(safe(finding.hint))}`)
  return lines
}

function safe(text: string): string {
  return printableLines(text).join('\n  ')
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause instanceof Error ? `${own}\ncaused by: ${stackOf(error.cause)}` : own
}
