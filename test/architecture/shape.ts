import type { Source } from './source.ts'

const maxFileLines = 300
const maxFunctionLines = 59
const emptyNames = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'manager', 'managers', 'misc'])

/** A file can be read in one sitting. */
export function fileSize(sources: readonly Source[]): string[] {
  return sources
    .filter(({ lines }) => lines > maxFileLines)
    .map(({ path, lines }) => `${path} has ${lines} lines; at most ${maxFileLines}`)
}

/** A function's own lines fit on a screen: a function inside it counts as one line there, and is measured by itself. */
export function functionSize(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const functions: { start: number; end: number; line: number; lines: number }[] = []
    source.walk((node, _, line) => {
      const isFunction =
        node.type === 'FunctionDeclaration' ||
        node.type === 'FunctionExpression' ||
        node.type === 'ArrowFunctionExpression'
      if (isFunction) {
        functions.push({ start: node.start, end: node.end, line, lines: source.lineAt(node.end) - line + 1 })
      }
    })
    return functions.flatMap((outer) => {
      const inside = functions.filter(
        (inner) => inner !== outer && inner.start >= outer.start && inner.end <= outer.end,
      )
      const outermost = inside.filter(
        (inner) => !inside.some((other) => other !== inner && other.start <= inner.start && other.end >= inner.end),
      )
      const own = outer.lines - outermost.reduce((sum, inner) => sum + inner.lines - 1, 0)
      if (own <= maxFunctionLines) return []
      return [`${source.path}:${outer.line} a function of ${own} lines of its own; at most ${maxFunctionLines}`]
    })
  })
}

/** A file is named after the one thing in it, never after what could be anything. */
export function tellingNames(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const empty = path.split(/[/.\-_]/).find((word) => emptyNames.has(word.toLowerCase()))
    return empty === undefined ? [] : [`${path}: "${empty}" names nothing`]
  })
}

/** What is not finished is an issue in the tracker, not a mark in the code. */
export function noUnfinishedMarks(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        /\b(TODO|FIXME|XXX|HACK)\b/.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [],
      ),
  )
}
