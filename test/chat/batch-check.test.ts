import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBatchCheck } from '../../src/chat/batch-check.ts'
import { readLine } from '../../src/chat/batch-line.ts'

const body = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] }
const line = (more: object = {}) => ({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body, ...more })

function checked(lines: readonly (string | object | null)[], linesMost = 50, errorsMost = 10) {
  const faultOf = ({ model }: { readonly model: string }) =>
    model === 'gone' ? { code: 'model_not_found', message: 'no such model', param: 'body.model' } : null
  const check = createBatchCheck({ kind: 'chat_completions', linesMost, errorsMost, faultOf })
  for (const one of lines) {
    const bytes = one === null ? null : Buffer.from(typeof one === 'string' ? one : JSON.stringify(one))
    if (!check.take(bytes)) break
  }
  return check.end()
}

function errorsOf(lines: readonly (string | object | null)[], linesMost?: number, errorsMost?: number) {
  const result = checked(lines, linesMost, errorsMost)
  return result.ok ? [] : result.errors.map(({ code, line: at, param }) => [code, at, param])
}

describe('the file of a batch', () => {
  it('passes with its lines and its model; blank lines and a byte order mark are none', () => {
    expect(checked([`\uFEFF${JSON.stringify(line())}\r`, ' ', line({ custom_id: 'b' }), ''])).toEqual({
      ok: true,
      lines: 2,
      model: 'm',
    })
  })

  it.each<[string, string | object | null, string, string | null]>([
    ['no JSON', '{"custom_id":', 'invalid_json_line', null],
    ['no object', '[1]', 'invalid_json_line', null],
    ['too long', null, 'invalid_json_line', null],
    ['too deep', `{"custom_id":"a","body":${'['.repeat(200)}${']'.repeat(200)}}`, 'invalid_json_line', null],
    ['no id', line({ custom_id: undefined }), 'missing_required_parameter', 'custom_id'],
    ['an id that is no text', line({ custom_id: 5 }), 'invalid_value', 'custom_id'],
    ['no method', line({ method: undefined }), 'missing_required_parameter', 'method'],
    ['another method', line({ method: 'GET' }), 'invalid_method', 'method'],
    ['another address', line({ url: '/v1/responses' }), 'url_mismatch', 'url'],
    ['no body', line({ body: undefined }), 'missing_required_parameter', 'body'],
    ['a stream', line({ body: { ...body, stream: true } }), 'invalid_value', 'body.stream'],
    ['tools', line({ body: { ...body, tools: [{}] } }), 'unsupported_parameter', 'body.tools'],
    ['a model that is gone', line({ body: { ...body, model: 'gone' } }), 'model_not_found', 'body.model'],
    ['a name that the answer needs', line({ answer: 1 }), 'invalid_value', 'answer'],
  ])('says which line has %s', (_name, bad, code, param) => {
    expect(errorsOf(['', bad])).toEqual([[code, 2, param]])
  })

  it('says where an id stands twice, also on a line that is wrong', () => {
    expect(errorsOf([line(), line({ custom_id: 'b' }), line()])).toEqual([['duplicate_custom_id', 3, 'custom_id']])
    expect(errorsOf([line({ method: 'GET' }), line()])).toEqual([
      ['invalid_method', 1, 'method'],
      ['duplicate_custom_id', 2, 'custom_id'],
    ])
  })

  it('asks one model', () => {
    const other = line({ custom_id: 'b', body: { ...body, model: 'n' } })
    expect(errorsOf([line(), other])).toEqual([['model_mismatch', 2, 'body.model']])
  })

  it('must hold a request, and not too many', () => {
    expect(errorsOf(['', ' '])).toEqual([['empty_file', null, null]])
    const lines = Array.from({ length: 5 }, (_, at) => line({ custom_id: String(at) }))
    expect(errorsOf(lines, 4)).toEqual([['too_many_tasks', null, null]])
    expect(checked(lines, 5)).toMatchObject({ ok: true, lines: 5 })
  })

  it('lists no more errors than anybody reads', () => {
    expect(
      errorsOf(
        Array.from({ length: 100 }, () => '?'),
        50,
        3,
      ),
    ).toHaveLength(3)
  })

  it('is read or refused line by line, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.json(), (bytes, json) => {
        for (const one of [bytes, Buffer.from(json)]) expect(readLine(one, 'responses').ok).toBe(false)
      }),
    )
  })
})
