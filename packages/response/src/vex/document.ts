/** What documents of all formats have in common. */
import type { ReleaseName } from './products.ts'
import type { VexStatement } from './statement.ts'

/** What is written into a document about one release. */
export interface VexDocument extends ReleaseName {
  /** An IRI for OpenVEX; the id of the document for CSAF. */
  readonly id: string
  /** Who issues the document. */
  readonly author: string
  /** The author's own address, as CSAF wants it. */
  readonly namespace: string
  readonly issuedAt: Date
  readonly statements: readonly Omit<VexStatement, 'product' | 'version'>[]
}

export interface ReadVexDocument {
  readonly format: 'openvex' | 'csaf' | 'cyclonedx'
  readonly statements: readonly VexStatement[]
  /** Statements that cannot be used, with the reasons. */
  readonly setAside: readonly { readonly label: string; readonly why: string }[]
  /** Members of statements that this reader does not keep, each once. */
  readonly ignored: readonly string[]
}

/** A document with more statements than this is none that people made. */
const documentStatementsMax = 5000

/** Collects what a reader finds. */
export class VexCollector {
  readonly #statements: VexStatement[] = []
  readonly #setAside: { label: string; why: string }[] = []
  readonly #ignored = new Set<string>()

  add(statement: VexStatement): void {
    this.#statements.push(statement)
  }

  refuse(label: string, why: string): void {
    this.#setAside.push({ label: label.slice(0, 300), why })
  }

  /** Notes members that are none of the known ones. */
  keepOnly(where: string, members: object, known: readonly string[]): void {
    for (const name of Object.keys(members)) {
      if (!known.includes(name) && this.#ignored.size < 50) this.#ignored.add(`${where}.${name}`)
    }
  }

  /** Whether there are more than a document may have. */
  get isFull(): boolean {
    return this.#statements.length + this.#setAside.length > documentStatementsMax
  }

  finish(format: ReadVexDocument['format']): ReadVexDocument {
    return {
      format,
      statements: this.#statements,
      setAside: this.#setAside,
      ignored: [...this.#ignored],
    }
  }
}
