/**
 * Idle check-ins without Node's HTTP and without the schema (RFD 7; README.md beside this file says
 * what it may assume). The body of an answer given here is, byte by byte, the one that Node's HTTP
 * and the schema would give. Whatever is not exactly an idle check-in goes to Node's HTTP, from its
 * first byte. `up --no-fast-path` does without all of it.
 */
export { createIdleCheckInReader } from './body.ts'
export type { FastPath } from './connections.ts'
export { createFastPath } from './connections.ts'
