import type { Task } from './queue.ts'

/** The name of a task; unique. */
export function nameOf(task: Task): string {
  return [task.kind, task.jobNo, ...numberOf(task)].join('/')
}

function numberOf(task: Task): readonly number[] {
  switch (task.kind) {
    case 'intake':
      return []
    case 'chunk':
      return [task.chunkNo]
    case 'finalize':
      return [task.round]
  }
}

/** The task of a name that `nameOf` made. */
export function taskOf(name: string): Task {
  const [kind, job, number] = name.split('/')
  const jobNo = Number(job)
  if (kind === 'intake') return { kind, jobNo }
  return kind === 'chunk'
    ? { kind, jobNo, chunkNo: Number(number) }
    : { kind: 'finalize', jobNo, round: Number(number) }
}
