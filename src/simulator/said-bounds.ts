import type { SchemaObject } from './schema.ts'

/** Adapters write bounds into the description where a provider's strict mode has no keyword for them; a model reads them there. */
const SAID =
  /\b(minimum|maximum|exclusive ?minimum|exclusive ?maximum|min(?:imum)? ?length|max(?:imum)? ?length|min(?:imum)? ?items|max(?:imum)? ?items|multiple ?of)\s*[:=]\s*(-?\d+(?:\.\d+)?)/gi
const KEYWORDS: Readonly<Record<string, string>> = {
  minimum: 'minimum',
  maximum: 'maximum',
  exclusiveminimum: 'exclusiveMinimum',
  exclusivemaximum: 'exclusiveMaximum',
  minlength: 'minLength',
  minimumlength: 'minLength',
  maxlength: 'maxLength',
  maximumlength: 'maxLength',
  minitems: 'minItems',
  minimumitems: 'minItems',
  maxitems: 'maxItems',
  maximumitems: 'maxItems',
  multipleof: 'multipleOf',
}

/** `schema` with the bounds that its description says in words ("minimum: 0; maximum: 1."). Keywords of its own stand. */
export function boundsInWords(schema: SchemaObject): SchemaObject {
  const description = schema.description
  if (typeof description !== 'string' || !description.includes(':')) return schema
  const said: Record<string, unknown> = {}
  for (const [, words, figure] of description.matchAll(SAID)) {
    const keyword = KEYWORDS[(words as string).toLowerCase().replaceAll(' ', '')]
    if (keyword !== undefined) said[keyword] = Number(figure)
  }
  return { ...said, ...schema }
}
