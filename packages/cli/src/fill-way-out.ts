/** Puts what the command was given into the commands that a way out names. */

/** What was given, by the names of the arguments and the long names of the options. */
export interface GivenWords {
  /** The first word of the command, such as `fleet`: a bare NAME or ID is one of these. */
  readonly noun: string
  readonly args: Readonly<Record<string, unknown>>
  readonly options: Readonly<Record<string, unknown>>
}

/** What a shell takes as it is, and nobody takes for a placeholder. */
const plainWord = /^(?=.*[a-z0-9])[\w.][\w.@:+-]*$/

/** `Run \`seaworthy fleet set NAME\`` becomes `… fleet set pumps` where that was the name. */
export function fillWayOut(wayOut: string, given: GivenWords): string {
  return wayOut.replaceAll(/`seaworthy ([a-z-]+) [^`]+`/g, (command, noun: string) =>
    command.replaceAll(
      /(?:--([a-z-]+) )?\b([A-Z]+)\b/g,
      (text, option: string | undefined, placeholder: string) => {
        const value =
          option === undefined ? argOf(given, noun, placeholder) : ofOption(given, option)
        if (typeof value !== 'string' || !plainWord.test(value)) return text
        return option === undefined ? value : `--${option} ${value}`
      },
    ),
  )
}

function argOf(given: GivenWords, noun: string, placeholder: string): unknown {
  const name = placeholder.toLowerCase()
  if (name === 'name' || name === 'id') return noun === given.noun ? given.args[name] : undefined
  return given.args[name] ?? ofNoun(given, name) ?? given.options[name]
}

function ofOption(given: GivenWords, option: string): unknown {
  return given.options[option] ?? given.args[option] ?? ofNoun(given, option)
}

/** `fleet remove <name>` names a fleet. */
function ofNoun({ noun, args }: GivenWords, name: string): unknown {
  return noun === name ? (args['name'] ?? args['id']) : undefined
}
