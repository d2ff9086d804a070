/** `seaworthy advisory export`: the pages for the public as files, as they are served. */
import { writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { listAdvisoryPages } from '@seaworthy/api/advisories'
import { makeFolders } from '@seaworthy/oci/folders'
import { readBody } from '@seaworthy/std/http'
import { withConnection } from '../../connection.ts'
import type { Connection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { formatCount } from '../../output/format.ts'
import { fileBelow } from '../../state/file-below.ts'
import { requireEmptyFolder } from '../../state/files.ts'

const pageBytesMax = 32 * 1024 * 1024

export async function exportPages(context: Context, folder: string): Promise<void> {
  await requireEmptyFolder(folder)
  await withConnection(context, async (connection) => {
    const { baseUrl, paths } = await connection.client.call(listAdvisoryPages, {})
    for (const path of paths) {
      const file = fileBelow(folder, ...namesOf(path))
      makeFolders(dirname(file))
      await writeFile(file, await readPage(connection, path))
    }
    const result = { folder, baseUrl, files: paths.length }
    context.show(result, () => [
      `Wrote ${formatCount(paths.length, 'file')} to ${folder}, to be served at ${baseUrl}.`,
    ])
  })
}

/** The page of a folder is the file that web servers answer with for it. */
function namesOf(path: string): string[] {
  const names = path.replace(/^\//, '').split('/')
  return names.at(-1) === '' ? [...names.slice(0, -1), 'index.html'] : names
}

async function readPage({ transport, server }: Connection, path: string): Promise<Uint8Array> {
  const response = await transport({ method: 'GET', url: `${server.url}${path}` })
  const body = await readBody(response, pageBytesMax)
  if (response.status === 200) return body
  throw new CliError('failed', `the server answers ${response.status} for ${path}`, {
    wayOut: 'Repeat the export: perhaps something was published meanwhile.',
  })
}
