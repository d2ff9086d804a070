/** Where pages for the public are asked for, and which files they become. */
import { fileBelow } from '../../state/file-below.ts'

/**
 * The server says the path, which may lead neither out of the folder nor to another host. Throws
 * `CliError`.
 */
export function placePage(
  path: string,
  { folder, origin }: { readonly folder: string; readonly origin: string },
): { readonly file: string; readonly url: string } {
  const names = path.replace(/^\//, '').split('/')
  // The page of a folder is the file that web servers answer with for it.
  if (names.at(-1) === '') names.splice(-1, 1, 'index.html')
  const file = fileBelow(folder, ...names)
  return { file, url: `${origin}/${path.replace(/^\//, '')}` }
}
