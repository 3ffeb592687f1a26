import { describe, expect, it } from 'vitest'
import { formatPlace } from '../../src/errors.ts'
import { readJson, readYaml, rootFinding } from '../../src/spec/read-yaml.ts'

const problems = (text: string) =>
  readYaml(text, 's.yaml').findings.map(({ place, message, hint }) => [place && formatPlace(place), message, hint])

describe('readYaml', () => {
  it('knows the place of every key and value, through anchors, aliases and merges', () => {
    const text = [
      'base: &base',
      '  one: 1',
      'list:',
      '  - x',
      '  - { two: 2 }',
      'copy:',
      '  <<: *base',
      '  three: 3',
      'same: *base',
      'empty:',
    ].join('\n')
    const { value, positions } = readYaml(text, 's.yaml')
    expect(value).toEqual({
      base: { one: 1 },
      list: ['x', { two: 2 }],
      copy: { one: 1, three: 3 },
      same: { one: 1 },
      empty: null,
    })
    const at = (...path: (string | number)[]) => [formatPlace(positions.key(path)), formatPlace(positions.value(path))]
    expect(at('base', 'one')).toEqual(['s.yaml:2:3', 's.yaml:2:8'])
    expect(at('list', 1, 'two')).toEqual(['s.yaml:5:7', 's.yaml:5:12'])
    expect(at('copy', 'one')).toEqual(['s.yaml:2:3', 's.yaml:2:8'])
    expect(at('copy', 'three')).toEqual(['s.yaml:8:3', 's.yaml:8:10'])
    expect(at('same', 'one')).toEqual(['s.yaml:2:3', 's.yaml:2:8'])
    expect(at('empty')).toEqual(['s.yaml:10:1', 's.yaml:10:7'])
    expect(at('copy', 'missing', 'deeper')).toEqual(['s.yaml:6:1', 's.yaml:6:1'])
  })

  it('maps a spot in a block text to its line and column', () => {
    const { positions } = readYaml('prompt:\n  user: |-\n    Hello\n      {{ nmae }}\n', 's.yaml')
    expect(formatPlace(positions.text(['prompt', 'user'], 2, 6))).toBe('s.yaml:4:10')
    expect(formatPlace(positions.text(['prompt', 'user'], 99, 99))).toMatch(/^s\.yaml:[45]:/)
  })

  it.each([
    [
      'a tab',
      'a:\n\tb: 1\n',
      [['s.yaml:2:1', 'a tab is used for indentation', 'YAML is indented with spaces: replace the tab by two.']],
    ],
    [
      'a key twice',
      'name: a\ninput:\n  key: x\n  key: y\n',
      [['s.yaml:4:3', 'the key "key" stands here a second time', 'Keep one of the two.']],
    ],
    ['a tag', 'a: !env HOME\n', [['s.yaml:1:4', 'unknown tag: !env', 'Tags (`!name`) have no meaning in a spec.']]],
    [
      'two documents',
      'a: 1\n---\nb: 1\n',
      [['s.yaml:2:1', 'a second YAML document begins here', 'One file holds one spec: remove the `---`.']],
    ],
    [
      'an unquoted enum in braces',
      'fields: { a: enum[x, y], b: string }\n',
      [
        [
          's.yaml:1:18',
          'Unexpected flow-seq-start at node end',
          'Inside { } the short form must be quoted: "enum[a, b]".',
        ],
      ],
    ],
    [
      'a colon in a text',
      'that: a: b\nother: c: d\n',
      [
        [
          's.yaml:1:7',
          'Nested mappings are not allowed in compact mappings',
          'Quote the text: a `: ` or a `{` in it has a meaning of its own in YAML.',
        ],
        [
          's.yaml:2:8',
          'Nested mappings are not allowed in compact mappings',
          'Quote the text: a `: ` or a `{` in it has a meaning of its own in YAML.',
        ],
      ],
    ],
    [
      'an alias without anchor',
      'a: *b\n',
      [['s.yaml:1:1', 'Unresolved alias (the anchor must be set before the alias): b', null]],
    ],
  ])('says what is wrong with %s', (_name, text, expected) => {
    expect(problems(text)).toEqual(expected)
  })

  it('refuses an alias that unfolds beyond all measure', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg'])
      bomb.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`)
    expect(problems(bomb.join('\n'))).toEqual([['s.yaml:1:1', expect.stringContaining('Excessive alias count'), null]])
  })

  it.each([
    ['', 'the file is empty'],
    ['# nothing yet\n', 'the file is empty'],
    ['- a\n- b\n', 'the file holds a list, not a spec'],
    ['just words\n', 'the file holds a single string, not a spec'],
  ])('says of %j that it is no spec', (text, message) => {
    expect(rootFinding(readYaml(text, 's.yaml'))?.message).toBe(message)
  })
})

describe('readJson', () => {
  it('has the places of YAML', () => {
    const { value, positions } = readJson('{\n\t"model": {"id": "a/\\u0062"}\n}', 's.json')
    expect(value).toEqual({ model: { id: 'a/b' } })
    expect(formatPlace(positions.value(['model', 'id']))).toBe('s.json:2:18')
  })

  it.each([
    ['{"a": 1,}', 's.json:1:9'],
    ['{"a": 1\n"b": 2}', 's.json:2:1'],
    ['{"a": 1, "a": 2}', 's.json:1:10'],
    ["{'a': 1}", 's.json'],
    ['a: 1', 's.json'],
  ])('refuses %j at its place', (text, place) => {
    const [finding] = readJson(text, 's.json').findings
    expect(finding?.place && formatPlace(finding.place)).toMatch(new RegExp(`^${place}`))
  })
})
