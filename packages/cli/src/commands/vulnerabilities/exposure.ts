/** `seaworthy vulnerability list`, `exposure` and `set-aside`. */
import type { ReplyOf } from '@seaworthy/api/route'
import type { ExposuresView } from '@seaworthy/api/vulnerabilities'
import {
  listExposures,
  listSetAsideRecords,
  listVulnerabilities,
} from '@seaworthy/api/vulnerabilities'
import type { Context } from '../../context.ts'
import { formatAgo, formatCount } from '../../output/format.ts'
import { collectPages, withConnection } from '../../connection.ts'
import { describePending, describeRecords, describeUntold } from './view.ts'

type Listed = ReplyOf<typeof listVulnerabilities>['items'][number]

export async function listRecordsOfServer(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const items = await collectPages((query) => client.call(listVulnerabilities, { query }))
    const { pending, records } = await client.call(listExposures, {})
    const now = context.ports.clock.now()
    context.show(items, () => [
      ...context.table<Listed>(
        [
          { title: 'record', text: ({ name }) => name },
          { title: 'also', text: ({ aliases }) => aliases[0] ?? '', isDroppable: true },
          {
            title: 'affected',
            text: (one) => formatCount(one.affectedReleasesCount, 'release'),
            align: 'right',
          },
          {
            title: 'unknown',
            text: (one) => formatCount(one.unknownReleasesCount, 'release'),
            align: 'right',
          },
          {
            title: 'cleared',
            text: (one) => formatCount(one.clearedReleasesCount, 'release'),
            align: 'right',
          },
          { title: 'what', text: ({ summary }) => summary, isShrinkable: true },
        ],
        items,
        'No record that was imported affects a release.',
      ),
      ...describePending(pending),
      ...describeRecords(records, now),
    ])
  })
}

export async function listExposed(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(listExposures, {})
    const now = context.ports.clock.now()
    const { items, pending } = view
    context.show(view, () => [
      ...context.table<ExposuresView['items'][number]>(
        [
          { title: 'record', text: ({ vulnerability }) => vulnerability },
          { title: 'also', text: ({ aliases }) => aliases[0] ?? '', isDroppable: true },
          { title: 'confirmed', text: (one) => String(one.confirmedCount), align: 'right' },
          { title: 'last known', text: (one) => String(one.lastKnownCount), align: 'right' },
          { title: 'cleared', text: (one) => String(one.clearedCount), align: 'right' },
          { title: 'known since', text: ({ foundAt }) => formatAgo(foundAt, now) },
          { title: 'what', text: ({ summary }) => summary, isShrinkable: true },
        ],
        items,
        'No device is known to run what a record affects.',
      ),
      ...describeUntold(view.untold),
      ...describePending(pending),
      ...describeRecords(view.records, now),
    ])
  })
}

export async function showSetAside(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const { items } = await client.call(listSetAsideRecords, {})
    context.show(items, () =>
      context.table<(typeof items)[number]>(
        [
          { title: 'record', text: ({ label }) => label, isShrinkable: true },
          { title: 'why', text: ({ why }) => why },
          { title: 'at', text: ({ at }) => at },
        ],
        items,
        'Every record that was imported could be used.',
      ),
    )
  })
}
