import type { JsonSchema, ModelRequest } from '../../src/domain/request.ts'

/** One request with what is awkward to encode: several lines, an odd line end of Unicode, an emoji, quotes. */
export const GOLDEN_REQUEST: Pick<ModelRequest, 'system' | 'messages'> = {
  system: 'Label.',
  messages: [{ role: 'user', text: 'Straße 7\n"to let"\u2028now 😀' }],
}

/** A required and an optional property, one bound that strict modes have no word for. */
export const GOLDEN_SCHEMA: JsonSchema = {
  type: 'object',
  properties: { topic: { type: 'string', enum: ['a', 'b'] }, note: { type: 'string', maxLength: 9 } },
  required: ['topic'],
}
