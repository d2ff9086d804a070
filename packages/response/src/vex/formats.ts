/** Documents of all formats, from bytes and to them. */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import { utf8Encode } from '@seaworthy/std/bytes'
import { readCsafVex, writeCsafVex } from './csaf.ts'
import { readCycloneDxVex, writeCycloneDxVex } from './cyclonedx.ts'
import type { ReadVexDocument, VexDocument } from './document.ts'
import { membersOf } from './members.ts'
import { readOpenVex, writeOpenVex } from './openvex.ts'

export const vexFormats = ['openvex', 'csaf', 'cyclonedx'] as const
export type VexFormat = (typeof vexFormats)[number]

export function writeVexDocument(format: VexFormat, document: VexDocument): Uint8Array {
  const write = { openvex: writeOpenVex, csaf: writeCsafVex, cyclonedx: writeCycloneDxVex }[format]
  return utf8Encode(`${JSON.stringify(write(document), null, 2)}\n`)
}

/** The statements of a document of any of the formats, or why there are none. */
export function readVexDocument(bytes: Uint8Array): ReadVexDocument | { readonly why: string } {
  let root: Json
  try {
    root = parseJson(bytes, openJson)
  } catch {
    return { why: 'it is not JSON, or has more in it than a document of people' }
  }
  const members = membersOf(root)
  const context = members['@context']
  if (typeof context === 'string' && context.startsWith('https://openvex.dev/ns')) {
    return readOpenVex(members)
  }
  if (membersOf(members['document'])['csaf_version'] === '2.0') return readCsafVex(members)
  if (members['bomFormat'] === 'CycloneDX') return readCycloneDxVex(members)
  return { why: 'it is none of OpenVEX, CSAF 2.0 and CycloneDX' }
}
