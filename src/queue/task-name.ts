import type { Task } from './queue.ts'

/** The name of a task; unique. */
export function nameOf(task: Task): string {
  return `${task.kind}/${task.jobNo}/${task.kind === 'chunk' ? task.chunkNo : task.round}`
}

/** The task of a name that `nameOf` made. */
export function taskOf(name: string): Task {
  const [kind, job, number] = name.split('/')
  const jobNo = Number(job)
  return kind === 'chunk'
    ? { kind: 'chunk', jobNo, chunkNo: Number(number) }
    : { kind: 'finalize', jobNo, round: Number(number) }
}
