/** What a machine says of itself, brought into the form of a report. */

/** `PRETTY_NAME` of a file in the form of os-release(5). */
export function nameOfSystem(text: string | undefined): string | undefined {
  const value = /^PRETTY_NAME=(.*)$/m.exec(text ?? '')?.[1]?.trim()
  const quoted = /^(["'])(.*)\1$/.exec(value ?? '')
  return oneLine(quoted?.[2] ?? value)
}

/** The number to two figures, so that a device does not look changed with every log line. */
export function roundedBytes(bytes: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, bytes))) - 1)
  return Math.floor(bytes / unit) * unit
}

/** The text as a report takes it: short, without control characters or half a character. */
export function oneLine(text: string | undefined): string | undefined {
  const line = text
    ?.replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, 128)
    // The cut may have left half of a pair of surrogates, which no report can carry.
    .replaceAll(/\p{Cs}/gu, '')
    .trim()
  return line === undefined || line === '' ? undefined : line
}
