import type { Style } from './style.ts'
import { clip, pad, printable, widthOf } from './terminal-text.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Gives up width when the table is wider than the terminal. */
  readonly flexible?: boolean
}

const GAP = '  '
const NARROWEST = 8

/** A table as lines of at most `width` columns: header first. Cells are made safe to show; flexible columns shrink, then the line is cut. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  style: Style,
): string[] {
  const cells = rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')))
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[index] as string))),
  )
  shrink(columns, widths, width)
  const compose = (row: readonly string[]) =>
    clip(
      columns
        .map((column, index) => {
          const columnWidth = widths[index] as number
          return pad(clip(row[index] as string, columnWidth), columnWidth, column.align)
        })
        .join(GAP)
        .trimEnd(),
      width,
    )
  return [style.dim(compose(columns.map((column) => column.title))), ...cells.map(compose)]
}

/** Takes what is too much from the widest flexible column, again and again, until the table fits or none can give any more. */
function shrink(columns: readonly Column[], widths: number[], width: number): void {
  let excess = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (columns.length - 1) - width
  while (excess > 0) {
    let widest = -1
    for (const [index, column] of columns.entries()) {
      const columnWidth = widths[index] as number
      if (column.flexible && columnWidth > NARROWEST && columnWidth > (widths[widest] ?? 0)) widest = index
    }
    if (widest < 0) return
    widths[widest] = (widths[widest] as number) - 1
    excess -= 1
  }
}
