/** `seaworthy advisory export`: the pages for the public as files, as they are served. */
import { writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { listAdvisoryPages } from '@seaworthy/api/advisories'
import { makeFolders } from '@seaworthy/oci/folders'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { withConnection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { formatCount } from '../../output/format.ts'
import { requireEmptyFolder } from '../../state/files.ts'
import { placePage } from './page-places.ts'

const pageBytesMax = 32 * 1024 * 1024

export async function exportPages(context: Context, folder: string): Promise<void> {
  await requireEmptyFolder(folder)
  await withConnection(context, async (connection) => {
    const { baseUrl, paths } = await connection.client.call(listAdvisoryPages, {})
    for (const path of paths) {
      const { file, url } = placePage(path, { folder, origin: connection.server.url })
      makeFolders(dirname(file))
      await writeFile(file, await readPage(connection.transport, url))
    }
    const result = { folder, baseUrl, files: paths.length }
    context.show(result, () => [
      `Wrote ${formatCount(paths.length, 'file')} to ${folder}, to be served at ${baseUrl}.`,
    ])
  })
}

async function readPage(transport: Transport, url: string): Promise<Uint8Array> {
  const response = await transport({ method: 'GET', url })
  const body = await readBody(response, pageBytesMax)
  if (response.status === 200) return body
  throw new CliError('failed', `the server answers ${response.status} for ${url}`, {
    wayOut: 'Repeat the export: perhaps something was published meanwhile.',
  })
}
