/** Colour, for people at a terminal only. */

export interface Paint {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
}

/** What begins and what ends each way to paint. */
const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const

export const paintCodes: readonly number[] = [...new Set(Object.values(codes).flat())]

const paintAs =
  ([open, close]: readonly [number, number]) =>
  (text: string) =>
    `\u001b[${open}m${text}\u001b[${close}m`
const plain = (text: string) => text

/**
 * Paints only at a terminal, without `--no-color`, and without NO_COLOR in the environment
 * (https://no-color.org).
 */
export function createPaint(options: {
  isTerminal: boolean
  wantsColour: boolean
  noColor: string | undefined
}): Paint {
  const isOn =
    options.isTerminal &&
    options.wantsColour &&
    (options.noColor === undefined || options.noColor === '')
  if (!isOn) return { bold: plain, dim: plain, red: plain, green: plain, yellow: plain }
  return {
    bold: paintAs(codes.bold),
    dim: paintAs(codes.dim),
    red: paintAs(codes.red),
    green: paintAs(codes.green),
    yellow: paintAs(codes.yellow),
  }
}
