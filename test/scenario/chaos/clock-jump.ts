/**
 * Loaded by `--import` into a worker: its clock goes wrong by as many milliseconds as the file `CHAOS_CLOCK` says, from the moment it says so. Only
 * `Date` is wrong, as on a machine whose clock was set; monotonic time and timers are not.
 */
import { readFileSync } from 'node:fs'

const path = process.env.CHAOS_CLOCK
const real = Date.now.bind(Date)
let offsetMs = 0

function look(): void {
  try {
    offsetMs = Number(readFileSync(path ?? '', 'utf8')) || 0
  } catch {
    offsetMs = 0
  }
}

if (path !== undefined) {
  look()
  setInterval(look, 500).unref()
  Date.now = () => real() + offsetMs
}
