/** The watch over a release on trial: probes and exits until there is a verdict (`trial.ts`). */
import type { BundleManifest } from '@seaworthy/oci/bundle/manifest'
import type { AppSpec } from '../ports.ts'
import type { InstallerContext } from './context.ts'
import type { Verdict } from './release-plan.ts'
import type { Observation } from './trial.ts'
import { explainFailure, observe, probeIntervalMs, startTrial } from './trial.ts'

/** Probes until there is a verdict. */
export async function watchTrial(
  { ports, runner, signal }: Pick<InstallerContext, 'ports' | 'runner' | 'signal'>,
  spec: AppSpec,
  manifest: BundleManifest,
): Promise<Verdict> {
  let trial = startTrial(ports.clock.monotonicMs(), manifest.windowSeconds * 1000)
  let exitsBefore = runner.kept?.exits ?? 0
  const probe = ports.processes.openProbe(manifest.health, spec)
  const exited = { wake: () => {} }
  const stopListening = runner.onExit(() => exited.wake())
  try {
    for (;;) {
      signal.throwIfAborted()
      const seen = await look()
      const result = observe(trial, ports.clock.monotonicMs(), seen)
      trial = result.trial
      if (result.verdict.state === 'failed') {
        const seenLast = { fault: probe.fault, lastExit: runner.kept?.lastExit }
        return { ...result.verdict, reason: explainFailure(trial, manifest, seenLast) }
      }
      if (result.verdict.state !== 'pending') return result.verdict
      if (seen.kind !== 'exit') await pause(probeIntervalMs(trial))
    }
  } finally {
    stopListening()
    probe.close()
  }

  async function look(): Promise<Observation> {
    const exits = runner.kept?.exits ?? 0
    if (exits > exitsBefore) {
      exitsBefore++
      return { kind: 'exit' }
    }
    if (runner.kept?.isAlive !== true) return { kind: 'time' }
    return { kind: 'probe', isHealthy: await probe.isHealthy() }
  }

  async function pause(ms: number) {
    const early = new AbortController()
    exited.wake = () => early.abort(new Error('exited'))
    // An exit or the end of the agent cuts the pause short; whoever looks next sees which.
    await ports.sleep(ms, AbortSignal.any([signal, early.signal])).catch(() => {})
  }
}
