import type { Allowance } from '../../domain/allowance.ts'
import { SluiceError } from '../../errors.ts'
import { isRecord } from '../../spec/record.ts'

/** A job in a few words: one template, the fields of an answer, a model. */
export interface ShortForm {
  readonly filename: string
  readonly name?: string
  readonly prompt_template: string
  readonly schema_hint?: Readonly<Record<string, unknown>>
  readonly model?: string
}

/**
 * The spec document that a short form stands for. Without a name the file's is taken, without a model the first that the operator has named. Throws
 * SluiceError `request_invalid` where there is none.
 */
export function specOfShortForm(form: ShortForm, { models }: Pick<Allowance, 'models'>): unknown {
  const { filename, name, prompt_template, schema_hint } = form
  const model = form.model ?? Object.keys(models)[0]
  if (model === undefined) {
    throw new SluiceError('request_invalid', 'body: model is missing', {
      hint: 'Name one: openai/gpt-5-mini. Who runs the server can name models, of which the first is taken.',
    })
  }
  return {
    version: 1,
    name: name ?? stemOf(filename),
    input: { source: filename },
    model: { id: model },
    prompt: { user: prompt_template },
    ...(schema_hint !== undefined && { output: outputOf(schema_hint) }),
  }
}

/** `tickets` of `tickets.csv.gz`, and `K-nden-2026` of `Künden 2026.csv`: what a spec can be called. */
function stemOf(filename: string): string {
  const stem = filename.replace(/\.gz$/i, '').replace(/\.[^.]+$/, '')
  const name = stem
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 100)
  return name === '' ? 'rows' : name
}

/** A JSON Schema says that it is one of an object; anything else names fields and their types. */
function outputOf(hint: Readonly<Record<string, unknown>>): object {
  const isSchema = typeof hint.$schema === 'string' || (hint.type === 'object' && isRecord(hint.properties))
  return isSchema ? { schema: hint } : { fields: hint }
}
