/** What its compiler wrote into a program about what it is made of: Go, or `cargo auditable`. */
import type { Found } from './components.ts'
import { createGoScan } from './go.ts'
import type { CrateBudget } from './rust.ts'
import { createCrateScan } from './rust.ts'

export const elfMagic = Buffer.from('\u007fELF', 'latin1')

export interface ElfScan {
  write(piece: Uint8Array): void
  finish(path: string): { readonly found: Found[]; readonly why: string | undefined }
}

export function createElfScan(budget: CrateBudget): ElfScan {
  const go = createGoScan()
  const crates = createCrateScan(budget)
  return {
    write(piece) {
      go.write(piece)
      crates.write(piece)
    },
    finish(path) {
      const modules = go.finish(path)
      // A Go program has no crates, even where something in it looks like a list of them.
      if (modules !== undefined) return { found: modules, why: undefined }
      const read = crates.finish(path)
      return Array.isArray(read) ? { found: read, why: undefined } : { found: [], why: read.why }
    },
  }
}
