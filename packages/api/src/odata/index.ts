/**
 * The language of OData, as far as it is spoken here: the model as data, and strict readers of what
 * is asked. Promises: what was read names only what is in the model; whatever is refused is refused
 * by name and place; no question about a large set is let through that no index serves. Not handled
 * here: who may ask, and how the answer is found.
 */
export type { Address, Key } from './addresses.ts'
export { conditionOf, readAddress } from './addresses.ts'
export type { ComparisonWord, FilterCondition, Literal, Operand, Path } from './expressions.ts'
export { formatMetadata } from './metadata.ts'
export type { SetName, ValueType } from './model.ts'
export { entitySets, setsByName } from './model.ts'
export type { PartSet } from './parts.ts'
export { partValue, wholeParts } from './parts.ts'
export type { AskedQuestion, Expansion, Order, Question } from './questions.ts'
export { formatPlace, readQuestion } from './questions.ts'
export type { ODataRefusal } from './refuse.ts'
export { tagOf } from './served.ts'
