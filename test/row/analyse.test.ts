import { describe, expect, it } from 'vitest'
import { analyseCondition, analyseTemplate } from '../../src/row/analyse.ts'

const names = (text: string) =>
  analyseTemplate(text).variables.map(({ path, line, column }) => [path.join('/'), line, column])
const faults = (text: string) =>
  analyseTemplate(text).errors.map(({ line, column, message }) => `${line}:${column} ${message}`)

describe('analyseTemplate', () => {
  it('names what comes from outside, with its place', () => {
    expect(names('Hi {{ name }},\n  {{ row["odd name"] }} {{ vars.language | truncate: n }}')).toEqual([
      ['name', 1, 7],
      ['row/odd name', 2, 6],
      ['vars/language', 2, 28],
      ['n', 2, 54],
    ])
    expect(
      names('{% if a and b.c %}{{ d }}{% elsif e %}{% endif %}{% capture f %}{{ g }}{% endcapture %}{{ f }}'),
    ).toEqual([
      ['a', 1, 7],
      ['b/c', 1, 13],
      ['d', 1, 22],
      ['e', 1, 35],
      ['g', 1, 68],
    ])
  })

  it('leaves out what the template makes itself, and what is never rendered', () => {
    expect(names('{% for t in tags %}{{ t.x }}{{ forloop.index }}{% endfor %}{% assign q = a %}{{ q }}')).toEqual([
      ['tags', 1, 13],
      ['a', 1, 74],
    ])
    expect(names('{% raw %}{{ x }}{% endraw %}{% comment %}{{ y }}{% endcomment %}')).toEqual([])
  })

  it('finds every fault, not only the first', () => {
    expect(faults('{{ a | shout }}\n{{ b | whisper }}\n{% include "/etc/passwd" %}')).toEqual([
      '1:1 there is no filter "shout"',
      '2:1 there is no filter "whisper"',
      '3:1 there is no tag "include"',
    ])
  })

  it('reports a broken tag without blaming its end', () => {
    expect(faults('{% if a | nope %}x{% else %}y{% endif %}')).toEqual(['1:1 there is no filter "nope"'])
    expect(faults('{% if a %}x')).toEqual(['1:1 tag {% if a %} not closed'])
    expect(faults('text {{ a')).toEqual(['1:6 output "{{ a" not closed'])
  })

  it('reports what LiquidJS would leave out without a word', () => {
    expect(faults('{{ first name }}')).toEqual(['1:10 unexpected "name"; a name with spaces is written row["…"]'])
    expect(faults('{{ a, b }}')).toEqual(['1:5 unexpected ", b"'])
    expect(faults('{% if a b %}{{ c == }}{% endif %}')).toEqual([
      '1:9 unexpected "b"; a name with spaces is written row["…"]',
      '1:18 "==" lacks a side',
    ])
    expect(faults('{{ a | default: "x }}')).toHaveLength(1)
    expect(faults('{% if a == "b %}{% endif %}')).toEqual(['1:12 this quote is not closed'])
    expect(faults('{{ a | strip | truncate: 3, "}}" }}{% if a == "}}" %}{% endif %}')).toEqual([])
  })

  it('offers nothing that reads files, the clock or chance, or that parses text as an expression', () => {
    for (const tag of ['include "x"', 'render "x"', 'layout "x"', 'block x', 'increment x', 'decrement x']) {
      expect(faults(`{% ${tag} %}`), tag).not.toEqual([])
    }
    for (const filter of [
      'date: "%Y"',
      'date_to_xmlschema',
      'sample',
      'where_exp: "x", a',
      'find_exp: "x", a',
      'group_by_exp: "x", a',
    ]) {
      expect(faults(`{{ "now" | ${filter} }}`), filter).toHaveLength(1)
    }
  })
})

describe('analyseCondition', () => {
  const check = (text: string) => {
    const { variables, errors } = analyseCondition(text)
    return [variables.map(({ path }) => path.join('.')), errors.map(({ column, message }) => `${column} ${message}`)]
  }

  it('names what it looks at', () => {
    expect(check("output.topic != 'refund' or output.urgent and not body contains x")).toEqual([
      ['output.topic', 'output.urgent', 'body', 'x'],
      [],
    ])
  })

  it('reports what would be half a condition', () => {
    expect(check('a b')).toEqual([['a', 'b'], ['3 unexpected "b"; a name with spaces is written row["…"]']])
    expect(check('a >')).toEqual([['a'], ['3 ">" lacks a side']])
    expect(check('a = b')[1]).toHaveLength(1)
    expect(check('a && b')[1]).toHaveLength(1)
    expect(check('a contains "b')).toEqual([['a'], ['12 this quote is not closed']])
    expect(check('  ')).toEqual([[], ['1 the condition is empty']])
  })
})
