import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { age, bar, clock, cost, count, percentDone, rate } from '../../src/cli/figures.ts'
import { createStyle } from '../../src/cli/style.ts'
import { tableLines } from '../../src/cli/table.ts'
import { clip, pad, printable, printableLines, widthOf } from '../../src/cli/terminal-text.ts'
import { parseResultLine, promptBlock, resultBlock, triedRow } from '../../src/cli/trial.ts'
import { verdictOf } from '../../src/cli/verdict.ts'
import { NO_COUNTS } from '../../src/domain/job.ts'

const plain = createStyle(false)

describe('figures', () => {
  it('are written for people', () => {
    expect([count(10_003), rate(7.44), rate(1234.5)]).toEqual(['10,003', '7.4', '1,235'])
    expect([16_999, 3_723_000, 183_845_000].map(clock)).toEqual(['0:16', '1:02:03', '2 d 3:04:05'])
    expect([900, 61_000, 7_300_000, 90_000_000].map(age)).toEqual(['0 s', '1 min', '2 h', '1 d'])
  })

  it('say where a price is unknown', () => {
    expect(cost({ ...NO_COUNTS, costNano: 21_400_000 })).toBe('$0.0214')
    expect(cost({ ...NO_COUNTS, unpriced: 2 })).toBe('unknown')
    expect(cost({ ...NO_COUNTS, unpriced: 2, costNano: 21_400_000 })).toBe('at least $0.0214')
  })

  it('round percent and bar down', () => {
    expect([percentDone(0, 0), percentDone(199, 200), percentDone(999_999, 1_000_000)]).toEqual([100, 99, 99])
    expect(bar(199, 200, 12)).toBe('[#########-]')
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        const [done, total] = a < b ? [a, b] : [b, a]
        const percent = percentDone(done, total)
        expect(Number.isInteger(percent)).toBe(true)
        expect(BigInt(percent) * BigInt(total) <= BigInt(done) * 100n).toBe(true)
        expect(percent === 100).toBe(done === total)
      }),
    )
  })
})

describe('text from rows', () => {
  it('cannot steer the terminal', () => {
    expect(printable('a\u001b[2Jb\r\nc\u202ed\u0007')).toBe('a[2Jb cd')
    expect(printableLines('a\tb\u001b]0;x\u0007\r\nc')).toEqual(['a    b]0;x', 'c'])
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })

  it('is cut to columns, never within a character', () => {
    expect(clip('日本語テキスト', 8)).toBe('日本語…')
    expect(clip('👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 3)).toBe('👩‍👩‍👧‍👦…')
    expect(pad('日', 4)).toBe('日  ')
    expect(pad('7', 3, 'right')).toBe('  7')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat({ max: 50 }), (text, width) => {
        expect(widthOf(clip(text, width))).toBeLessThanOrEqual(width)
      }),
    )
  })
})

describe('a table', () => {
  it('aligns, and lets flexible columns give way', () => {
    const columns = [
      { title: 'CAUSE' },
      { title: 'ROWS', align: 'right' },
      { title: 'EXAMPLE', flexible: true },
    ] as const
    const rows = [
      ['schema_invalid', '1,203', 'r_0044: topic "delivery time" is not in the list'],
      ['refused', '1', 'r_1:\nno'],
    ]
    expect(tableLines(columns, rows, 50, plain)).toEqual([
      'CAUSE            ROWS  EXAMPLE',
      'schema_invalid  1,203  r_0044: topic "delivery ti…',
      'refused             1  r_1: no',
    ])
  })

  it('is never wider than the terminal', () => {
    const columns = [{ title: 'A', flexible: true }, { title: 'B' }]
    const cell = fc.string({ unit: 'grapheme' })
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell)), fc.integer({ min: 20, max: 100 }), (rows, width) => {
        for (const line of tableLines(columns, rows, width, plain)) expect(widthOf(line)).toBeLessThanOrEqual(width)
      }),
    )
  })
})

describe('the verdict', () => {
  it('is what stands before the first section, and the gates', () => {
    const report =
      '# FAIL  196 of 200\n\nmine: a \\* b\n\n**Simulated:** `x`\n\n## Gates\n\n- **missed** `min_success`: 98%\n\n## Causes\nno\n'
    expect(verdictOf(report)).toBe('FAIL  196 of 200\nmine: a * b\nSimulated: x\n  missed min_success: 98%')
    expect(verdictOf('one line')).toBe('one line')
  })
})

describe('a tried row', () => {
  const line =
    '{"id":9007199254740993,"body":"Arrived broken","topic":"shipping","urgent":true,"_row_id":"r_1","_row_index":0,"_status":"ok","_error":null,"_lane":"live","_input_tokens":212,"_output_tokens":18,"_cost_usd":0.0001,"_latency_ms":800}'

  it('is parted into input and output; large integers stay exact', () => {
    const row = triedRow(parseResultLine(line), ['id', 'body'])
    expect(row).toMatchObject({
      input: { id: '9007199254740993', body: 'Arrived broken' },
      output: { topic: 'shipping', urgent: true },
      tokens: { input: 212, output: 18 },
    })
    expect(resultBlock(row, 80, plain)).toEqual([
      'r_1   ok   212 in / 18 out   $0.00010',
      '  id    9007199254740993   topic   shipping',
      '  body  Arrived broken     urgent  true',
    ])
    expect(resultBlock(row, 40, plain).slice(1)).toEqual([
      '  id    9007199254740993',
      '  body  Arrived broken',
      '  => topic   shipping',
      '  => urgent  true',
    ])
  })

  it('that failed shows why', () => {
    const row = triedRow({ _row_id: 'r_2', _status: 'failed', _error: 'refused', _error_message: 'no', body: 'x' }, [
      'body',
    ])
    expect(resultBlock(row, 80, plain)).toEqual([
      'r_2   failed   0 in / 0 out   unknown',
      '  body  x   refused',
      '  no',
    ])
  })

  it('never makes a line wider than the terminal', () => {
    const fields = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue())
    fc.assert(
      fc.property(fields, fields, fc.integer({ min: 20, max: 200 }), (input, output, width) => {
        const row = { ...triedRow({ _row_id: 'r', _status: 'ok' }, []), input, output }
        for (const each of resultBlock(row, width, plain).slice(1)) expect(widthOf(each)).toBeLessThanOrEqual(width)
      }),
    )
  })

  it('shows its prompt as it is sent', () => {
    const prompt = {
      rowId: 'r_1',
      system: 'You label.',
      messages: [{ role: 'user', text: 'Subject: x\nbody' }],
      error: null,
    } as const
    expect(promptBlock(prompt, plain)).toEqual([
      'prompt of r_1',
      '  system',
      '    You label.',
      '  user',
      '    Subject: x',
      '    body',
    ])
  })
})
