/**
 * Idle check-ins without Node's HTTP and without the schema (RFD 7; README.md beside this file says what it may assume). Promises:
 * what is answered here is answered as Node's HTTP and the schema would, byte by byte of the body; whatever is not exactly an idle
 * check-in goes there, from its first byte. `up --no-fast-path` does without all of it.
 */
export { createIdleCheckInReader } from './body.ts'
export type { FastPath } from './connections.ts'
export { createFastPath } from './connections.ts'
