/**
 * Questions by OData. Promises: whoever asks sees what `/v1` shows them and nothing else, whether
 * they list it, count it, expand it or ask for it in a filter; every set that a question touches
 * needs its permission; a question takes a connection of its own for seconds at most, and one actor
 * has few of those at once. Not handled here: the language (`api/odata`), and its statements
 * (`db/odata`).
 */
export type { EntityAnswer, AskedEntities } from './questions.ts'
export { askCount, askEntities, findAgain, keyOf, notFound, requireMayRead } from './questions.ts'
export type { Turns } from './limits.ts'
export { createTurns } from './limits.ts'
