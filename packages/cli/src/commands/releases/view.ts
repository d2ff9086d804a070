/** A release as text. */
import type { ReleaseView } from '@seaworthy/api/releases'
import type { Context } from '../../context.ts'
import { formatBytes } from '../../output/format.ts'

export function describeChannels({ channels }: ReleaseView): string {
  return channels.map(({ channel, counter }) => `${channel} (${counter})`).join(', ') || '-'
}

export function describeRelease(context: Context, view: ReleaseView): string[] {
  return [
    ...context.fields([
      ['release', `${view.product} ${view.version}`],
      ['kind', view.kind],
      ['digest', view.digest],
      ['size', formatBytes(view.totalBytes)],
      ['channels', describeChannels(view)],
      ['created', `${view.createdAt} by ${view.createdBy}`],
    ]),
    ...context.table<ReleaseView['platforms'][number]>(
      [
        { title: 'platform', text: (p) => p.platform },
        { title: 'digest', text: (p) => p.digest },
        { title: 'size', text: (p) => formatBytes(p.bytes), align: 'right' },
      ],
      view.platforms,
      'No platforms.',
    ),
  ]
}
