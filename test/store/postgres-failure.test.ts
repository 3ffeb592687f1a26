import { DatabaseError } from 'pg'
import { describe, expect, it } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { isConflict, storageFailure } from '../../src/store/postgres-failure.ts'
import { storable, VALUE_TYPES } from '../../src/store/postgres-values.ts'

const said = (code: string) => Object.assign(new DatabaseError('as the server says', 10, 'error'), { code })
const node = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

describe('failures of PostgreSQL', () => {
  it.each([
    ['53100', 'full'],
    ['53200', 'io'],
    ['53300', 'io'],
    ['08006', 'io'],
    ['25006', 'io'],
    ['28P01', 'io'],
    ['3D000', 'io'],
    ['25P03', 'io'],
    ['57P01', 'io'],
    ['57P03', 'io'],
    ['58030', 'io'],
    ['XX001', 'io'],
    ['55P03', 'busy'],
    ['57014', 'busy'],
    ['40001', 'busy'],
    ['40P01', 'busy'],
  ])('%s is %s', (code, kind) => {
    expect(storageFailure(said(code))).toMatchObject({ kind, message: 'as the server says' })
  })

  it.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND'])('%s is io', (code) => {
    expect(storageFailure(node(code))).toMatchObject({ kind: 'io', message: `connect ${code}` })
  })

  it.each(['Connection terminated unexpectedly', 'timeout expired', 'Query read timeout'])('%s is io', (message) => {
    expect(storageFailure(new Error(message))).toMatchObject({ kind: 'io', message })
  })

  it('says why none of several addresses answered', () => {
    const all = Object.assign(new AggregateError([node('ECONNREFUSED'), node('ENETUNREACH')]), { code: 'ECONNREFUSED' })
    expect(storageFailure(all)).toMatchObject({ kind: 'io', message: 'connect ECONNREFUSED' })
  })

  it('are nothing that a statement or its caller did wrong', () => {
    for (const code of ['23505', '42601', '22003']) expect(storageFailure(said(code))).toBeNull()
    expect(storageFailure(new TypeError('timeouts'))).toBeNull()
    expect(storageFailure('timeout expired')).toBeNull()
    const failure = new StorageFailure('full', 'x')
    expect(storageFailure(failure)).toBe(failure)
  })

  it('are conflicts where the transaction may run again', () => {
    const mapped = (code: string) => storageFailure(said(code))
    expect([mapped('40001'), mapped('40P01'), said('40P01')].map(isConflict)).toStrictEqual([true, true, true])
    expect([mapped('55P03'), mapped('57P01'), said('23505'), null].map(isConflict)).toStrictEqual(Array(4).fill(false))
  })
})

describe('values of PostgreSQL', () => {
  const parse = (oid: number) => VALUE_TYPES.getTypeParser(oid, 'text') as (text: string) => unknown

  it('are numbers, as long as a number holds them exactly', () => {
    expect([parse(20)('9007199254740991'), parse(1700)('-12'), parse(1700)('0.5'), parse(23)('7')]).toStrictEqual([
      9_007_199_254_740_991, -12, 0.5, 7,
    ])
    expect(() => parse(20)('9007199254740993')).toThrow(RangeError)
    expect(() => parse(1700)('123456789012345678901')).toThrow(RangeError)
  })

  it('are bytes as they were', () => {
    expect(Uint8Array.from(parse(17)('\\x00ff10') as Uint8Array)).toStrictEqual(Uint8Array.of(0, 255, 16))
  })

  it('take every character but NUL', () => {
    expect([storable('a\0ü\u{1f600}'), storable(['\0', 1, null]), storable(null)]).toStrictEqual([
      'a\uFFFDü\u{1f600}',
      ['\uFFFD', 1, null],
      null,
    ])
  })
})
