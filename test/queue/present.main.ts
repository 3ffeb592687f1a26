/**
 * Registers a worker, says `here`, and lives until it is killed. At a line of its input it collects its garbage and says `collected`.
 * Arguments: the directory of the locks, the worker's id.
 */
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openPresence } from '../../src/queue/presence.ts'

const [dir = '', id = ''] = process.argv.slice(2)
const register = async () => void (await (await openPresence({ dir })).register(id))
await register()
process.stdout.write('here\n')
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
process.stdin.on('data', async () => {
  // Finalizers run between the turns of the event loop.
  for (let turn = 0; turn < 10; turn += 1) {
    collect()
    await setImmediate()
  }
  process.stdout.write('collected\n')
})
