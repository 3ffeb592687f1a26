import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileSchema } from '../../src/row/output-schema.ts'
import { readAnswer } from '../../src/row/read-answer.ts'
import { TICKET_SCHEMA } from './fixture.ts'

const faults = compileSchema(TICKET_SCHEMA)
const read = (text: string, repair = true) => {
  const reading = readAnswer(text, faults, { repair })
  return reading.ok ? JSON.stringify(reading.exact) : `${reading.cause}: ${reading.message}`
}
const LOGIN = '{"topic":"login","urgent":true}'

describe('what is put aside', () => {
  it.each([
    ['nothing', LOGIN],
    ['blanks and a byte order mark', `\uFEFF\n ${LOGIN}\n\n`],
    ['a code fence', `\`\`\`json\n${LOGIN}\n\`\`\``],
    ['prose on both sides', `Sure, it's {easy}:\n${LOGIN}\nHope that helps!`],
    ['a draft among the thoughts', `<think>{"topic":"bug","urgent":false}? No.</think>\n${LOGIN}`],
    ['a list of one', `[${LOGIN}]`],
    ['a wrapper', `{"answer":${LOGIN}}`],
    ['JSON in a JSON string', JSON.stringify(LOGIN)],
    ['the same object twice', `${LOGIN}\n${LOGIN}`],
    ['an object of another kind', `{"reasoning":"x"}\n${LOGIN}`],
    ['a trailing comma', '{"topic":"login","urgent":true,}'],
    ['single quotes and Python', "{'topic': 'login', 'urgent': True}"],
    ['missing quotes', '{topic: login, urgent: true}'],
    ['typographic quotes', '{“topic”: “login”, “urgent”: true}'],
    ['a missing comma', '{"topic":"login" "urgent":true}'],
  ])('%s', (_name, text) => {
    expect(read(text)).toBe(LOGIN)
  })

  it('keeps the words of what it mends', () => {
    expect(read('{"topic":"bug","urgent":false,"note":"line\nbreak "quoted" and it\'s"}')).toBe(
      '{"topic":"bug","urgent":false,"note":"line\\nbreak \\"quoted\\" and it\'s"}',
    )
  })
})

describe('what is not accepted', () => {
  it.each([
    ['a cut string', '{"topic":"login","urgent":true,"note":"I can', /does not end/],
    ['a cut number', '{"topic":"login","urgent":true,"score":0.1', /does not end/],
    ['a cut object after a whole one', `${LOGIN}\n{"topic":"bu`, /does not end/],
    ['a quote that swallows the next key', '{"topic":"login, "urgent":true}', /quotes do not pair/],
    ['two objects that differ', `${LOGIN} or {"topic":"bug","urgent":true}`, /2 different/],
    ['a key that stands twice', '{"topic":"login","topic":"bug","urgent":true}', /"topic" stands twice/],
    [
      'a key that stands twice, once escaped',
      '{"topic":"login","\\u0074opic":"bug","urgent":true}',
      /"topic" stands twice/,
    ],
    ['a value left out', '{"topic":"login","urgent":true,"note":}', /could not be mended/],
    ['a list with an ellipsis', '{"topic":"login","urgent":true,"tags":[1,2,...]}', /could not be mended/],
    ['a backslash that would be lost', '{"topic":"login","urgent":true,"note":"C:\\dir"}', /could not be mended/],
    ['no object', 'I cannot say.', /no JSON object/],
    ['nothing', '  \n', /empty/],
  ])('%s', (_name, text, why) => {
    expect(read(text)).toMatch(/^invalid_json: /)
    expect(read(text)).toMatch(why)
  })

  it('NaN and numbers beyond a double', () => {
    expect(read('{"topic":"login","urgent":true,"score":NaN}')).toBe('schema_invalid: score "NaN" is not a number')
    expect(read('{"topic":"login","urgent":true,"score":1e999}')).toMatch(/^schema_invalid: score .* is not a number$/)
  })

  it('values of another type: nothing is coerced', () => {
    expect(read('{"topic":"login","urgent":"true"}')).toBe('schema_invalid: urgent "true" is not a boolean')
  })

  it('a list of several', () => {
    expect(read(`[${LOGIN},${LOGIN}]`)).toBe('schema_invalid: the answer is not an object')
  })

  it('anything but whole, strict JSON where nothing may be repaired', () => {
    expect(read(LOGIN, false)).toBe(LOGIN)
    expect(read(`\`\`\`json\n${LOGIN}\n\`\`\``, false)).toMatch(/^invalid_json/)
    expect(read('{"topic":"login","urgent":true,}', false)).toMatch(/^invalid_json/)
  })
})

describe('numbers', () => {
  const any = compileSchema({ type: 'object' })

  it('keep the digits that the model gave', () => {
    const text = '{"id":12345678901234567890,"x":0.12345678901234567890,"n":1.5,"l":[9007199254740993]}'
    const reading = readAnswer(text, any, { repair: true })
    expect(reading.ok && JSON.stringify(reading.exact)).toBe(text)
  })
})

describe('whatever a reply holds', () => {
  const ticket = fc.record(
    { topic: fc.constantFrom('billing', 'login', 'bug'), urgent: fc.boolean(), note: fc.string({ unit: 'binary' }) },
    { noNullPrototype: true },
  )

  it('an accepted value fits the schema', () => {
    const noise = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      ',',
      ':',
      'topic',
      'urgent',
      'login',
      'true',
      '```json\n',
      ' ',
      '\\',
      LOGIN,
    )
    fc.assert(
      fc.property(fc.array(noise), (parts) => {
        const reading = readAnswer(parts.join(''), faults, { repair: true })
        if (reading.ok) expect(faults(JSON.parse(JSON.stringify(reading.exact)))).toEqual([])
        else expect(reading.message).not.toBe('')
      }),
    )
  })

  it('a whole answer in any wrapping is read as it is', () => {
    const wrapping = fc.constantFrom(
      ['', ''],
      ['```json\n', '\n```'],
      ['Here you are: ', ''],
      ['[', ']'],
      ['{"output":', '}'],
    )
    fc.assert(
      fc.property(ticket, wrapping, (answer, [before, after]) => {
        const reading = readAnswer(`${before}${JSON.stringify(answer)}${after}`, faults, { repair: true })
        expect(reading.ok && reading.value).toEqual(answer)
      }),
    )
  })

  it('an answer that was cut anywhere is not taken for another', () => {
    fc.assert(
      fc.property(ticket, fc.nat(), fc.constantFrom('', '```json\n'), (answer, at, before) => {
        const text = JSON.stringify(answer)
        const reading = readAnswer(before + text.slice(0, at % text.length), faults, { repair: true })
        expect(reading.ok).toBe(false)
      }),
    )
  })
})
