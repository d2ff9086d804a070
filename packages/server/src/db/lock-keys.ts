/**
 * Every advisory lock there is. Two purposes with one key would wait for each other, and two
 * transactions that take them in opposite orders would deadlock: PostgreSQL ends one of the two.
 */
export const lockKeys = {
  migrations: 7_403_001,
  firstStart: 7_403_002,
  metadata: 7_403_003,
  /** The rights lock (`rights.ts`). */
  people: 7_403_004,
  pairings: 7_403_005,
  /** This key comes with a second number, which stands for the product whose storage is counted. */
  storage: 7_403_006,
  /** Held by whoever compares records with components: neither side misses what the other adds. */
  comparison: 7_403_007,
  /** Held by the worker that does what only one may do. */
  leader: 7_403_010,
} as const
