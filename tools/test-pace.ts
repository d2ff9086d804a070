/**
 * The order in which integration tests run, and which of them need the machine to themselves.
 * `test.ts` says how many run at once. A tidy test checks that each file named here exists.
 */

/**
 * Elapsed seconds of the files that take longest when nothing else runs (the report shows them).
 * They start first, so that none of them runs alone at the end. A file that is not named is taken
 * to be short.
 */
export const longFiles: Readonly<Record<string, number>> = {
  'sim/src/fleet/rollout-story.integration.test.ts': 189,
  'sim/src/whole/break-in.integration.test.ts': 101,
  'sim/src/whole/documents.integration.test.ts': 98,
  'packages/server/src/app/vulnerabilities/vulnerabilities.integration.test.ts': 90,
  'packages/web/src/fleet-pages.integration.test.ts': 87,
  'sim/src/fleet/overshoot.integration.test.ts': 60,
  'packages/agent/src/installer/app-settings.integration.test.ts': 60,
  'packages/web/src/pages.integration.test.ts': 54,
  'packages/server/src/app/trust/tampering.integration.test.ts': 48,
  'packages/server/src/app/vex/vex.integration.test.ts': 45,
  'packages/server/src/db/durability.integration.test.ts': 42,
  'packages/cli/src/story.integration.test.ts': 41,
  'packages/server/src/http/authz.integration.test.ts': 40,
  'packages/cli/src/secrets.integration.test.ts': 36,
  'sim/src/whole/coordinated-restarts.integration.test.ts': 40,
  'sim/src/power-cuts.integration.test.ts': 38,
  'sim/src/whole/stop.integration.test.ts': 35,
  'packages/server/src/transfers/transfers.integration.test.ts': 35,
  'packages/agent/src/installer/crash.integration.test.ts': 34,
  'packages/agent/src/installer/agent.integration.test.ts': 34,
  'sim/src/whole/server-keys.integration.test.ts': 32,
  'packages/cli/src/rollouts.integration.test.ts': 30,
  'sim/src/fuzz/fuzz.integration.test.ts': 30,
  'packages/server/src/app/traces/traces.integration.test.ts': 30,
  'packages/server/src/whole/kill-nine.integration.test.ts': 30,
  'packages/server/src/http/requests.integration.test.ts': 29,
  'packages/server/src/http/fast-path/fast-path.integration.test.ts': 25,
  'packages/oci/src/store/s3/faults.integration.test.ts': 25,
  'packages/cli/src/hostile-server.integration.test.ts': 25,
  'packages/agent/src/installer/attacks.integration.test.ts': 20,
  'packages/cli/src/foreign-devices.integration.test.ts': 20,
  'packages/server/src/http/ddi/swupdate.integration.test.ts': 20,
  'packages/server/src/http/ddi/rauc.integration.test.ts': 20,
  'packages/server/src/config/database-url.integration.test.ts': 20,
  'packages/server/src/http/ddi/durability.integration.test.ts': 20,
  'packages/cli/src/main.integration.test.ts': 20,
  'packages/oci/src/store/s3/s3.integration.test.ts': 18,
}

/**
 * Files that measure time, or load the machine so much that the measurements of others would
 * suffer: they run one by one when all others have ended.
 */
export const aloneFiles: readonly string[] = [
  'packages/server/src/app/worker/overload.integration.test.ts',
  'packages/server/src/tasks/leader.integration.test.ts',
]

export const needsMachineAlone = (path: string): boolean => aloneFiles.includes(path)

export function orderByLength(paths: readonly string[]): string[] {
  return paths.toSorted((a, b) => (longFiles[b] ?? 0) - (longFiles[a] ?? 0))
}
