import { formatUsd } from '../domain/money.ts'
import type { ModelTarget } from '../domain/request.ts'
import type { PriceSpec, Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { PROVIDERS, readKey, resolveTarget } from '../provider/target.ts'
import { didYouMean, oneOf } from '../spec/nearest.ts'
import { formatPath, type Path, type Report } from '../spec/positions.ts'
import type { CheckTools } from './check-tools.ts'

/** Whether each model of the spec can be reached and paid for: provider known, key set, price known. Nothing is sent. */
export function checkModels(spec: Spec, tools: CheckTools, report: Report): void {
  const { target, price, fallback } = spec.model
  checkModel(spec, target, price, ['model'], tools, report)
  for (const [index, each] of fallback.entries()) {
    checkModel(spec, each.target, each.price, ['model', 'fallback', index], tools, report)
  }
}

function checkModel(
  spec: Spec,
  target: ModelTarget,
  own: PriceSpec | null,
  path: Path,
  tools: CheckTools,
  report: Report,
): void {
  // A blank stands for what was wrong and has been reported.
  if (target.id === '') return
  const provider = target.id.split('/', 1)[0] ?? ''
  if (!Object.hasOwn(PROVIDERS, provider)) {
    report.error([...path, 'id'], `unknown provider "${provider}"`, providerHint(provider))
    return
  }
  if (provider === 'openai-compatible' && target.baseUrl === null) return
  const price = tools.price(target, own)
  const perMillion =
    price &&
    `${formatUsd(price.inputNanoPerMillion)} in, ${formatUsd(price.outputNanoPerMillion)} out per million tokens (${price.source})`
  if (price === null) reportNoPrice(spec, target, path, report)
  const key = keyState(target, path, tools, report)
  if (key !== null)
    report.add('ok', null, [`${formatPath(path)}: ${target.id}`, key, perMillion ?? 'price unknown'].join(', '))
}

/** Says of the key what can be said without using it; `null`, and a finding, where it is missing. */
function keyState(target: ModelTarget, path: Path, tools: CheckTools, report: Report): string | null {
  try {
    const address = resolveTarget(target)
    const key = readKey(address, tools.env, target.apiKeyEnv !== null)
    return key === null ? 'no key needed' : 'key set'
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    const at = target.apiKeyEnv === null ? [...path, 'id'] : [...path, 'api_key_env']
    // A spec is as valid without the key: it may be checked where it is not run.
    const severity = error.code === 'credentials_missing' ? 'warning' : 'error'
    report.add(severity, report.positions.value(at), error.message, error.hint)
    return null
  }
}

function reportNoPrice(spec: Spec, target: ModelTarget, path: Path, report: Report): void {
  // Of a budget in dollars it is said there, and is an error.
  if (spec.budget.usdNano !== null) return
  const hint = `Give it: ${formatPath([...path, 'price'])}: { input: "0.25", output: "2.00" }, in US dollars per million tokens.`
  if (spec.gates.maxCostPerRowNano === null) {
    report.warning([...path, 'id'], `the price of ${target.id} is not known: costs will be shown as unknown`, hint)
  } else {
    report.error(
      [...path, 'id'],
      `the price of ${target.id} is not known, so gates.max_cost_per_row_usd cannot be judged`,
      hint,
    )
  }
}

/** Names under which people look for providers that are reached by another name here. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  gemini: 'google',
  vertex: 'google',
  claude: 'anthropic',
  gpt: 'openai',
  mock: 'simulator',
}

function providerHint(provider: string): string {
  const other = OTHER_NAMES[provider]
  if (other !== undefined) return `did you mean "${other}"?`
  const known = Object.keys(PROVIDERS)
  return (
    didYouMean(provider, known) ??
    `Use ${oneOf(known)}; a server that speaks OpenAI's API is openai-compatible/<model>, with model.base_url.`
  )
}
