/** `seaworthy vulnerability show`: releases and devices that have it. */
import { instant, tagName } from '@seaworthy/api/fields'
import type { PatchingView, VulnerabilityDetail } from '@seaworthy/api/vulnerabilities'
import { showPatching, showVulnerability } from '@seaworthy/api/vulnerabilities'
import { vulnerabilityName } from '@seaworthy/api/vex'
import { quoted } from '@seaworthy/std/printable'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { formatCount, formatMs } from '../../output/format.ts'
import { withConnection } from '../../connection.ts'
import { describeFound, describePending, describeUntold } from './view.ts'

export interface ShowExposureOptions {
  at?: string
  tag?: string
}

export async function showOne(
  context: Context,
  name: string,
  { at, tag }: ShowExposureOptions,
): Promise<void> {
  if (!vulnerabilityName.safeParse(name).success) {
    throw new CliError('usage', `${quoted(name)} is not the id of a record`, {
      wayOut: 'An id looks like CVE-2021-44228 or GHSA-jfh8-c2jp-5v3q.',
    })
  }
  if (at !== undefined && !instant.safeParse(at).success) {
    throw new CliError('usage', `${quoted(at)} is not an instant`, {
      wayOut: 'Write it in UTC, like 2026-01-31T12:00:00Z.',
    })
  }
  if (tag !== undefined && !tagName.safeParse(tag).success) {
    throw new CliError('usage', `${quoted(tag)} is not the name of a tag`, {
      wayOut: 'A name has a-z, 0-9, _, . and -, and starts with a letter.',
    })
  }
  await withConnection(context, async ({ client }) => {
    const detail = await client.call(showVulnerability, {
      params: { vulnerability: name },
      query: { ...(at === undefined ? {} : { at }), ...(tag === undefined ? {} : { tag }) },
    })
    const patching = await client.call(showPatching, { params: { vulnerability: name } })
    context.show({ ...detail, patching }, () => describe(context, { ...detail, patching }, tag))
  })
}

type Group = VulnerabilityDetail['devices']['groups'][number]

function describe(
  context: Context,
  {
    records,
    devices,
    patching,
    ...rest
  }: VulnerabilityDetail & { readonly patching: PatchingView },
  tag: string | undefined,
): string[] {
  const { total, groups } = devices
  return [
    ...records.flatMap(({ name, aliases, summary, withdrawnAt, faults }) => [
      `${[name, ...aliases].join(', ')}: ${summary === '' ? 'without a summary' : summary}`,
      ...(withdrawnAt === null ? [] : [`  withdrawn at ${withdrawnAt}: it affects nothing`]),
      ...faults.map((fault) => `  not used: ${fault}`),
    ]),
    '',
    ...describeFound(context, rest, 'No release has a component that it affects.'),
    '',
    ...context.table<Group>(
      [
        { title: tag ?? 'fleet', text: ({ name }) => name ?? 'without the tag' },
        { title: 'confirmed', text: (one) => String(one.confirmedCount), align: 'right' },
        { title: 'last known', text: (one) => String(one.lastKnownCount), align: 'right' },
        { title: 'unknown', text: (one) => String(one.unknownCount), align: 'right' },
        { title: 'cleared', text: (one) => String(one.clearedCount), align: 'right' },
      ],
      groups,
      'No device runs any of these releases.',
    ),
    `${devices.at === null ? 'Now' : `As of ${devices.at}`}: ${formatCount(total.confirmedCount, 'device')} confirmed, ${total.lastKnownCount} last known, ${total.unknownCount} unknown${total.clearedCount === 0 ? '' : `, ${total.clearedCount} cleared by statements`}${devices.countedAt === null ? '' : ` (counted at ${devices.countedAt})`}.`,
    ...describeUntold(devices.untold),
    ...describePending(rest.pending),
    ...describePatching(patching),
  ]
}

function describePatching({
  everCount,
  leftCount,
  foundAt,
  medianSeconds,
  mostSeconds,
  zeroSince,
}: PatchingView): string[] {
  if (everCount === 0) return []
  const gone = everCount - leftCount
  const within = (seconds: number) => formatMs(seconds * 1000)
  const half =
    medianSeconds === null || mostSeconds === null
      ? ''
      : `, half of them within ${within(medianSeconds)}, nine in ten within ${within(mostSeconds)}`
  const patchedMs =
    zeroSince === null || foundAt === null ? null : Date.parse(zeroSince) - Date.parse(foundAt)
  return [
    `${gone} of ${formatCount(everCount, 'device')} that had it are rid of it${half}.`,
    ...(patchedMs === null
      ? []
      : [
          `No device has it since ${zeroSince}: that took ${formatMs(Math.max(0, patchedMs))} from when it was found.`,
        ]),
  ]
}
