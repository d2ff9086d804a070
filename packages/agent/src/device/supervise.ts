/** Starts a program again, with growing waits, whenever it ends. */
import { backOffMs } from '@seaworthy/std/retry'
import type { Log } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import type { Clock, Sleep } from '@seaworthy/std/time'

export interface SupervisePorts {
  clock: Clock
  sleep: Sleep
  random: Random
  log: Log
}

const steadyMs = 30_000

/**
 * Runs one life after the other until the signal is aborted; `life` resolves when the program has
 * ended.
 */
export async function superviseLives(
  ports: SupervisePorts,
  name: string,
  signal: AbortSignal,
  life: () => Promise<void>,
): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    const startedMs = ports.clock.monotonicMs()
    await life().catch((error: unknown) => ports.log.error('process-failed', { name, error }))
    if (signal.aborted) return
    failures = ports.clock.monotonicMs() - startedMs >= steadyMs ? 1 : failures + 1
    const waitMs = backOffMs(failures, { firstMs: 500, maxMs: 60_000, random: ports.random })
    ports.log.warn('process-ended', { name, waitMs })
    await ports.sleep(waitMs, signal).catch(() => {})
  }
}

/**
 * A script for `/bin/sh`, which is a hundredth of Node's size: runs "$@" again and again until it
 * is told to end, waiting 1 to 60 s in between, and gives up where the program says that its
 * configuration is wrong (2).
 */
export const superviseScript = `
stopping=
trap 'stopping=1; [ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM INT HUP
wait=1
while [ -z "$stopping" ]; do
  begun=$(date +%s)
  "$@" &
  child=$!
  wait "$child"; code=$?
  while [ -n "$stopping" ] && kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
  child=
  [ -n "$stopping" ] && break
  [ "$code" = 2 ] && exit 2
  if [ $(( $(date +%s) - begun )) -ge 30 ]; then wait=1; fi
  sleep "$wait" & child=$!; wait "$child"; child=
  wait=$(( wait * 2 )); [ "$wait" -gt 60 ] && wait=60
done
exit 0
`
