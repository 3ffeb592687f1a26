import { between, type Draw } from '../draw.ts'
import type { Shelf, ShelfWriter } from './shelf.ts'

/** Lines on their way into a file, which is made by the first of them. */
export interface LinePile {
  add(line: string): Promise<void>
  /** Where they lie; `null`: there was none. */
  end(): Promise<{ readonly path: string; readonly bytes: number } | null>
}

/** Lines that are held back so that others may overtake them. */
const HELD = 1000

/** A pile that keeps the order of its lines, or mixes them by `order`. */
export function createLinePile(shelf: Shelf, order: Draw | null): LinePile {
  const held: string[] = []
  let writer: ShelfWriter | null = null
  const write = async (line: string) => {
    writer ??= await shelf.write()
    await writer.write(Buffer.from(`${line}\n`))
  }
  const draw = async (from: Draw) => {
    const at = between(from, 0, held.length - 1)
    const line = held[at] as string
    held[at] = held[held.length - 1] as string
    held.pop()
    await write(line)
  }
  return Object.freeze({
    add: async (line: string) => {
      if (order === null) return write(line)
      held.push(line)
      if (held.length > HELD) await draw(order)
    },
    end: async () => {
      while (order !== null && held.length > 0) await draw(order)
      return writer === null ? null : { path: writer.path, bytes: await writer.end() }
    },
  })
}
