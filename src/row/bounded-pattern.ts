import { createContext, Script } from 'node:vm'

/** Steps that are taken without looking at the clock: some milliseconds. */
const FREE_STEPS = 1e6
/** How long one test may take that may never end, ms: for so long the whole process stands still. */
const MAX_MS = 100
/** Tests of one pattern that may take too long before no other of long texts is tried. */
const SLOW_TESTS = 3

/** What JSON Schema asks of a pattern. */
export interface BoundedPattern {
  test(text: string): boolean
  toString(): string
}

/**
 * A regular expression that holds nobody up: of patterns whose steps may grow without bounds with the text (`^(a+)+$`) each test ends within a tenth of a second.
 * What did not end in time does not match. Throws SyntaxError as RegExp does.
 */
export function boundedPattern(source: string, flags: string): BoundedPattern {
  const pattern = new RegExp(source, flags)
  const power = powerOf(source)
  let slowTests = 0
  return Object.freeze({
    test(text: string): boolean {
      if (power !== null && text.length ** power <= FREE_STEPS) return pattern.test(text)
      if (slowTests === SLOW_TESTS) return false
      const matches = testInTime(pattern, text)
      if (matches === null) slowTests += 1
      return matches ?? false
    },
    toString: () => String(pattern),
  })
}

/**
 * The number that says how the steps of a pattern grow with the length of the text, as its power: one for where it begins, one for each part that repeats. `null`:
 * they may grow exponentially, since something repeats that itself repeats, has several ways to match, or refers back.
 */
function powerOf(source: string): number | null {
  // Neither what is escaped nor what stands in a class repeats anything.
  const bare = source
    .replaceAll(/\\k<|\\[1-9]/g, ')*')
    .replaceAll(/\\./gsu, 'x')
    .replaceAll(/\[[^\]]*\]/g, 'x')
  if (/\)[*+{]/.test(bare)) return null
  return 1 + (bare.match(/[*+]|\{\d+,/g) ?? []).length
}

const world = createContext({ pattern: /./, text: '' })
const script = new Script('pattern.test(text)')

/** Whether the text matches; `null`: that was not found out in time. */
function testInTime(pattern: RegExp, text: string): boolean | null {
  world.pattern = pattern
  world.text = text
  try {
    return script.runInContext(world, { timeout: MAX_MS }) as boolean
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null
    throw error
  } finally {
    world.text = ''
  }
}
