/** Texts for property tests. */
import fc from 'fast-check'

const surrogatesBegin = 0xd800
const surrogatesCount = 0x800
const codePointMax = 0x10_ffff

/**
 * Any code point but the halves of pairs: `fc.string({ unit: anyCodePoint })` makes the same texts
 * as with the unit `binary`. For that one, fast-check first writes down all million of them, which
 * takes each file of tests a second.
 */
export const anyCodePoint: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: codePointMax - surrogatesCount })
  .map(
    (place) => String.fromCodePoint(place < surrogatesBegin ? place : place + surrogatesCount),
    (text) => {
      const codePoint = typeof text === 'string' ? text.codePointAt(0) : undefined
      if (codePoint === undefined || String.fromCodePoint(codePoint) !== text)
        throw new Error('not one code point')
      return codePoint < surrogatesBegin ? codePoint : codePoint - surrogatesCount
    },
  )
