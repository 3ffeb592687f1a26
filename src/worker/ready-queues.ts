import type { HeldChunk, RowTask } from './held-chunk.ts'

/** Rows that wait for a slot: one line per account, and in it one line per job, served in turn, so that no job holds up another. */
export interface ReadyQueues {
  push(account: string, task: RowTask): void
  /** The row whose turn it is, jobs in `heldUp` being passed over; rows that may not run any more are dropped on the way. */
  peek(account: string, mayRun: (task: RowTask) => boolean, heldUp: ReadonlySet<number>): RowTask | null
  /** Takes the row that `peek` showed, and passes the turn on. */
  take(account: string, shown: RowTask): void
  accounts(): Iterable<string>
  drop(held: HeldChunk): void
}

interface Line {
  tasks: RowTask[]
  head: number
}

/** Creates empty queues. */
export function createReadyQueues(): ReadyQueues {
  /** Maps keep insertion order: the first job of an account is the one whose turn it is. */
  const accounts = new Map<string, Map<number, Line>>()

  const advance = (line: Line) => {
    line.head += 1
    if (line.head > 1024 && line.head * 2 > line.tasks.length) {
      line.tasks = line.tasks.slice(line.head)
      line.head = 0
    }
  }

  return Object.freeze({
    push(account: string, task: RowTask) {
      const jobs = accounts.get(account) ?? new Map<number, Line>()
      accounts.set(account, jobs)
      const jobNo = task.held.claim.jobNo
      const line = jobs.get(jobNo) ?? { tasks: [], head: 0 }
      jobs.set(jobNo, line)
      line.tasks.push(task)
    },
    peek(account: string, mayRun: (task: RowTask) => boolean, heldUp: ReadonlySet<number>) {
      const jobs = accounts.get(account)
      if (jobs === undefined) return null
      for (const [jobNo, line] of jobs) {
        if (heldUp.has(jobNo)) continue
        while (line.head < line.tasks.length) {
          const task = line.tasks[line.head] as RowTask
          if (mayRun(task)) return task
          advance(line)
        }
        jobs.delete(jobNo)
      }
      return null
    },
    take(account: string, shown: RowTask) {
      const jobs = accounts.get(account)
      const { jobNo } = shown.held.claim
      const line = jobs?.get(jobNo)
      if (jobs === undefined || line === undefined) return
      advance(line)
      jobs.delete(jobNo)
      if (line.head < line.tasks.length) jobs.set(jobNo, line)
    },
    accounts: () => accounts.keys(),
    drop(held: HeldChunk) {
      for (const jobs of accounts.values()) {
        const line = jobs.get(held.claim.jobNo)
        if (line === undefined) continue
        line.tasks = line.tasks.slice(line.head).filter((task) => task.held !== held)
        line.head = 0
      }
    },
  })
}
