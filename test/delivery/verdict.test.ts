import { expect, it } from 'vitest'
import { code, table } from '../../src/delivery/markdown.ts'
import { bytes, percent, span, times } from '../../src/delivery/report-figures.ts'

it.each([
  [199, 200, '99.5%'],
  [9_999_999, 10_000_000, '99.9%'],
  [10, 10, '100%'],
  [0, 3, '0.0%'],
  [29, 100, '29.0%'],
  [0, 0, '100%'],
])('%d of %d is %s', (part, total, text) => expect(percent(part, total)).toBe(text))

it.each([
  [0, '0 ms'],
  [999.9, '999 ms'],
  [16_400, '16 s'],
  [250_000, '4 min 10 s'],
  [7_080_000, '1 h 58 min'],
  [183_600_000, '2 d 3 h'],
])('%d ms is %s', (ms, text) => expect(span(ms)).toBe(text))

it('has figures for people', () => {
  expect([times(2.94), times(13.6), bytes(312), bytes(4_200_000)]).toStrictEqual(['2.9×', '14×', '312 B', '4.2 MB'])
})

it.each([
  ['plain', '`plain`'],
  ['a`b', '``a`b``'],
  ['`a``b`', '``` `a``b` ```'],
  ['', '`  `'],
  ['two\r\nlines\t\u202eturned\u0007', '`two lines turned`'],
  ['x'.repeat(400), `\`${'x'.repeat(300)}…\``],
])('quotes %j as code', (text, quoted) => expect(code(text)).toBe(quoted))

it('lines tables up', () => {
  expect(table(['a', 'b'], [['x|y', '1']], [1])).toBe('| a    |   b |\n| ---- | --: |\n| x\\|y |   1 |')
})
