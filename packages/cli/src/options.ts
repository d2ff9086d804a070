/** Parsers of option values. Whatever is not understood is a usage error that names the option. */
import { InvalidArgumentError, Option } from 'commander'
import { roleName } from '@seaworthy/api/roles'
import { parseDuration } from '@seaworthy/std/time'
import { isPlatform } from '@seaworthy/trust/tuf'

export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d{1,15}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`Not a whole number from ${min} to ${max}.`)
    }
    return value
  }
}

/** Milliseconds. */
export function durationOption(text: string): number {
  try {
    return parseDuration(text)
  } catch {
    throw new InvalidArgumentError('Not a duration such as 30m, 12h or 7d.')
  }
}

/** Milliseconds, at least `least` and at most `most`, which are written as the user would. */
export function durationBetween(least: string, most: string): (text: string) => number {
  return (text) => {
    const ms = durationOption(text)
    if (ms >= parseDuration(least) && ms <= parseDuration(most)) return ms
    throw new InvalidArgumentError(`Not a duration from ${least} to ${most}.`)
  }
}

/**
 * An option for a duration within bounds, whose help names the default as the user would write it.
 */
export function durationWithDefault(
  flags: string,
  text: string,
  { least, most, standard }: { least: string; most: string; standard: string },
): Option {
  return new Option(flags, text)
    .argParser(durationBetween(least, most))
    .default(parseDuration(standard), standard)
}

/** `name=value`, repeatable, into a map. */
export function collectPairs(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Not of the form name=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

export function onOff(text: string): boolean {
  if (text === 'on') return true
  if (text === 'off') return false
  throw new InvalidArgumentError('Say on or off.')
}

export function oneOf<T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((one) => one === text)
    if (choice === undefined) throw new InvalidArgumentError(`One of ${choices.join(', ')}.`)
    return choice
  }
}

/** The name of a role; whether there is one, the server knows. */
export function roleOption(text: string): string {
  if (roleName.safeParse(text).success) return text
  throw new InvalidArgumentError('Not the name of a role: a-z, 0-9 and -.')
}

/** The same, repeatable. */
export function collectRoles(text: string, before: readonly string[] | undefined): string[] {
  return collect(roleOption(text), before)
}

/** Architectures that Linux runs on, by the names that OCI takes over from Go. */
const architectures = [
  ...['386', 'amd64', 'arm', 'arm64', 'loong64', 'mips', 'mips64', 'mips64le', 'mipsle'],
  ...['ppc64', 'ppc64le', 'riscv64', 's390x'],
]

/** Names that machines and people use for architectures, with those that releases use. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  ...{ x86_64: ['amd64'], x64: ['amd64'], x86: ['amd64', '386'] },
  ...{ i386: ['386'], i686: ['386'], ia32: ['386'] },
  ...{ aarch64: ['arm64'], armv8: ['arm64'], armhf: ['arm/v7'], armv7: ['arm/v7'] },
  ...{ armv7l: ['arm/v7'], armel: ['arm/v6'], armv6l: ['arm/v6'] },
}

/** A platform as releases and devices name it: under any other name a release would run nowhere. */
export function platformOption(text: string): string {
  const [system, architecture = '', ...rest] = text.split('/')
  const known = Object.hasOwn(otherNames, architecture) ? otherNames[architecture]! : []
  if (known.length > 0) {
    const named = known.map((name) => [system, name, ...rest].join('/'))
    throw new InvalidArgumentError(`Releases call it ${named.join(' or ')}.`)
  }
  if (!isPlatform(text)) {
    throw new InvalidArgumentError('Not of the form OS/ARCHITECTURE, such as linux/amd64.')
  }
  if (system !== 'linux') throw new InvalidArgumentError('Devices run Linux, such as linux/amd64.')
  if (architectures.includes(architecture)) return text
  throw new InvalidArgumentError(`No device has it: linux/ with ${architectures.join(', ')}.`)
}

export function collectPlatforms(text: string, before: readonly string[] | undefined): string[] {
  return collect(platformOption(text), before)
}

const unitBytes = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const

/** A number of bytes, or `none`; commander takes `null` for an option without a value. */
export function quotaOption(text: string): number | 'none' {
  if (text === 'none') return text
  const match = /^(\d{1,7})(B|KiB|MiB|GiB|TiB)$/.exec(text)
  const bytes = match && Number(match[1]) * unitBytes[match[2] as keyof typeof unitBytes]
  if (bytes !== null && bytes <= 2 ** 50) return bytes
  throw new InvalidArgumentError('Not a size such as 50GiB, at most 1024TiB, nor none.')
}
