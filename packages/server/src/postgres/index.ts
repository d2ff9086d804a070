/**
 * The embedded PostgreSQL: made, started, kept alive and stopped by the server's primary process.
 * It makes no backups and tunes nothing for large machines: that is what `--database-url` is for.
 */
export { findAccount } from './account.ts'
export { PostgresError } from './binaries.ts'
export { socketFileOf, startCluster } from './cluster.ts'
export type { PostgresCluster, PostgresPorts } from './cluster.ts'
