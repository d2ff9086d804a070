/** Commands of our documents: what stands in their `sh` blocks, one by one. */

export interface DocumentCommand {
  /** File and line on which it begins, such as `README.md:43`. */
  readonly place: string
  /** A command line as it stands, continued lines joined; comments at its end stay. */
  readonly text: string
}

/** The blocks of a document, each with its commands; indented blocks of lists too. */
export function readCommandBlocks(path: string, source: string): DocumentCommand[][] {
  const blocks: DocumentCommand[][] = []
  let block: DocumentCommand[] | undefined
  let open: DocumentCommand | undefined
  for (const [index, line] of source.split('\n').entries()) {
    if (block === undefined) {
      if (/^ *```sh$/.test(line)) block = []
      continue
    }
    if (/^ *```$/.test(line)) {
      blocks.push(block)
      block = undefined
      continue
    }
    const text: string = open === undefined ? line.trim() : `${open.text}\n${line}`
    const command = { place: open?.place ?? `${path}:${index + 1}`, text }
    open = undefined
    if (text.endsWith('\\')) open = command
    else if (text !== '' && !text.startsWith('#')) block.push(command)
  }
  return blocks
}
