/** One package a line: type, name, version, licence and path, with tabs between them. */
import type { Scan } from '../scan.ts'

export function formatPackages({ components, unread, unreadCount }: Scan): string {
  return [
    'type\tname\tversion\tlicence\tpath',
    ...components.map(({ type, name, version, licence, path }) =>
      [type, name, version, licence, path].map(cell).join('\t'),
    ),
    ...unread.map(({ path, why }) => `# not read: ${cell(path)}: ${why}`),
    ...(unreadCount > unread.length ? [`# not read: ${unreadCount - unread.length} more`] : []),
    '',
  ].join('\n')
}

/** A text of several lines is one cell. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
