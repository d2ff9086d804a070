/** Whether a password may be used: its length, and what zxcvbn's dictionaries make of it. */
import { Refusal } from '@seaworthy/std/refusal'
import type { PersonRefusal } from '../refusals.ts'

const lengthMin = 12
/** The lowest score accepted, of 0 to 4: safe from ten thousand guesses a second. */
const scoreMin = 3

/** `own` are words that an attacker would try first. Throws `password_weak`. */
export async function requireStrongPassword(
  password: string,
  own: readonly string[],
): Promise<void> {
  if (Array.from(password).length < lengthMin) {
    throw weak(`it has fewer than ${lengthMin} characters`)
  }
  // The dictionaries are large, and few people ever set a password.
  const [{ ZxcvbnFactory }, common, en] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ])
  const judge = new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...en.dictionary },
    graphs: common.adjacencyGraphs,
    translations: en.translations,
  })
  const parts = own.map((one) => one.split(/[^\p{L}\p{N}]+/u))
  const words = [...own, ...parts.flat(), ...parts.map((all) => all.join('')), 'seaworthy']
  const { score, feedback } = judge.check(
    password,
    words.filter((word) => word.length > 2),
  )
  if (score >= scoreMin) return
  throw weak([feedback.warning, ...feedback.suggestions].filter(Boolean).join(' '))
}

function weak(why: string): Refusal<PersonRefusal> {
  const reason = why.replace(/\.+$/, '') || 'it is easy to guess'
  return new Refusal<PersonRefusal>(
    'password_weak',
    `this password is too easy to guess: ${reason}; take four or more unrelated words, or let a password manager make one`,
  )
}
