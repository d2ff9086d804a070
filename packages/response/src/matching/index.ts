/**
 * Whether a component has a vulnerability. Promises: the verdict follows from the record and the
 * component alone, and what cannot be decided is `unknown` with its reason, never clean. Not
 * handled here: what a record says (`records`), how versions are ordered (`versions`).
 */
export { boundsOf, placeOf } from './candidates.ts'
export type { ComponentVerdict } from './verdicts.ts'
export { ecosystemOf, judgeComponent, recordEcosystemOf, subjectKey } from './verdicts.ts'
