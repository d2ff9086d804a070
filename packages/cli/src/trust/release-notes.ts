/** What signers are told about a release beside what changes on a device. */
import { formatBytes, formatCount, harmless } from '../output/format.ts'
import { describeHandedOver } from '../handed-over-sboms.ts'
import { describeSboms } from '../release-sboms.ts'
import type { ReleaseTree } from '../release-trees.ts'

const liesShownMax = 10

/**
 * Describes what the release before said wrongly about itself: whoever signed it saw something
 * else, so the next signature needs explicit consent to the comparison.
 */
export function describeLies({ version, lies }: ReleaseTree): string[] {
  const left = lies.length - liesShownMax
  return [...lies.slice(0, liesShownMax), ...(left > 0 ? [`and ${left} more`] : [])]
    .map((lie) => `${version}, with which it is compared, lies about its content: ${lie}`)
    .map(harmless)
}

const documentsShownMax = 60

/** Describes what a release carries that no device looks at. */
export function describeRest({ sboms, handedOver, others }: ReleaseTree): string[] {
  return [
    ...describeSboms(sboms),
    ...describeHandedOver(handedOver),
    ...(others.length === 0
      ? []
      : [
          `It also carries ${formatCount(others.length, 'document')} that no device looks at and nobody has checked:`,
          ...others
            .slice(0, documentsShownMax)
            .map(
              ({ artifactType, mediaType, size, digest }) =>
                `  ${artifactType ?? mediaType}  ${formatBytes(size)}  ${digest}`,
            ),
          ...(others.length > documentsShownMax
            ? [`  … and ${others.length - documentsShownMax} more of them`]
            : []),
        ]),
  ].map(harmless)
}
