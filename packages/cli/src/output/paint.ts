/** Colour, for people at a terminal only. */

export interface Paint {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
}

const escape = (open: number, close: number) => (text: string) =>
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
    bold: escape(1, 22),
    dim: escape(2, 22),
    red: escape(31, 39),
    green: escape(32, 39),
    yellow: escape(33, 39),
  }
}
