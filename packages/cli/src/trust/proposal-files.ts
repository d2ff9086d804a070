/** The files in which proposals and their signatures travel: what each holds, and where it lies. */
import { isTaken } from '@seaworthy/oci/folders'
import { parseProposal, parseSignatureFile, proposalBytesMax } from '@seaworthy/trust/tuf'
import { Refusal } from '@seaworthy/std/refusal'
import { CliError } from '../failure.ts'
import { readBounded } from '../state/files.ts'

/** The file of signatures that belongs to the file of a proposal, unless another is named. */
export function signaturesBeside(path: string): string {
  return `${path}.signatures`
}

/** The error for whoever names the proposal in place of its signatures, if it is one. */
export async function proposalInstead(
  path: string,
  bytes: Uint8Array,
): Promise<CliError | undefined> {
  if (!(await isProposal(bytes))) return undefined
  const signatures = signaturesBeside(path)
  return new CliError('usage', `${path} is the proposal itself, not the signatures of it`, {
    wayOut: (await isTaken(signatures))
      ? `Import the file beside it: \`seaworthy proposal import ${signatures}\`.`
      : `Import the file that signing writes: \`seaworthy proposal sign ${path} --key FILE\` writes ${signatures}.`,
  })
}

/**
 * Throws where writing would destroy something else, such as a key: only an earlier file of the
 * same kind is replaced.
 */
export async function requireReplaceable(
  path: string,
  kind: 'proposal' | 'signatures',
): Promise<void> {
  if (!(await isTaken(path))) return
  const bytes = await readBounded(path, proposalBytesMax)
  const isSame = kind === 'proposal' ? await isProposal(bytes) : isSignatures(bytes)
  if (isSame) return
  const what = kind === 'proposal' ? 'an exported proposal' : 'a file of signatures'
  throw new CliError('refused', `${path} exists already, and is not ${what}`, {
    wayOut: 'Name another file: what is in it would be lost.',
  })
}

async function isProposal(bytes: Uint8Array): Promise<boolean> {
  try {
    await parseProposal(bytes)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

function isSignatures(bytes: Uint8Array): boolean {
  try {
    parseSignatureFile(bytes)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}
