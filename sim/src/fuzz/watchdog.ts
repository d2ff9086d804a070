/** A thread beside the fuzzing one, which ends the process when a case hangs: nobody else could. */
import { writeSync } from 'node:fs'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'

/** A time beyond any excuse that a loaded machine has. */
const hangMs = 15_000

interface Shared {
  cells: Int32Array
  names: readonly string[]
  repeat: string
}

/** Watches from now on; call `enter` before each case. */
export function startWatchdog(names: readonly string[], repeat: string) {
  const cells = new Int32Array(new SharedArrayBuffer(12))
  const shared: Shared = { cells, names, repeat }
  const worker = new Worker(new URL(import.meta.url), { workerData: shared })
  worker.unref()
  return {
    enter: (targetIndex: number, caseNumber: number) => {
      Atomics.store(cells, 1, targetIndex)
      Atomics.store(cells, 2, caseNumber)
      Atomics.add(cells, 0, 1)
    },
    stop: () => worker.terminate(),
  }
}

function watch({ cells, names, repeat }: Shared): void {
  for (;;) {
    const before = Atomics.load(cells, 0)
    if (Atomics.wait(cells, 0, before, hangMs) !== 'timed-out') continue
    if (Atomics.load(cells, 0) !== before || before === 0) continue
    const place = `--only ${names[Atomics.load(cells, 1)]} --case ${Atomics.load(cells, 2)}`
    writeSync(
      2,
      `HANG: a case runs for more than ${hangMs} ms; repeat with\n  ${repeat} ${place}\n`,
    )
    process.kill(process.pid, 'SIGKILL')
  }
}

if (!isMainThread && parentPort && (workerData as Partial<Shared> | null)?.cells) {
  watch(workerData as Shared)
}
