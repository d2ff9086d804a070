/** Completion scripts for bash, zsh and fish, generated from the tree of commands: what is not a command cannot be completed. */
import type { Command, Option } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

interface CommandEntry {
  /** Names below the program, joined by a blank; empty for the program itself. */
  path: string
  children: { name: string; description: string }[]
  options: OptionEntry[]
  /** Whether an argument of the command is a file or folder. */
  takesFiles: boolean
}

interface OptionEntry {
  long: string
  description: string
  value: 'none' | 'file' | 'other'
}

export function formatCompletion(program: Command, shell: Shell): string {
  const entries = listCommands(program)
  switch (shell) {
    case 'bash':
      return formatBash(program.name(), entries)
    case 'zsh':
      return formatZsh(program.name(), entries)
    case 'fish':
      return formatFish(program.name(), entries)
  }
}

function listCommands(program: Command): CommandEntry[] {
  const inherited = program.options.map(describeOption)
  const entries: CommandEntry[] = []
  const visit = (command: Command, path: readonly string[], above: readonly OptionEntry[]) => {
    const own = path.length === 0 ? inherited : command.options.map(describeOption)
    const help: OptionEntry = { long: '--help', description: 'print help', value: 'none' }
    entries.push({
      path: path.join(' '),
      children: command.commands.map((child) => ({
        name: child.name(),
        description: child.description(),
      })),
      options: [...own, ...above, help],
      takesFiles: command.registeredArguments.some((argument) => isFileName(argument.name())),
    })
    for (const child of command.commands) {
      visit(child, [...path, child.name()], path.length === 0 ? inherited : [...own, ...above])
    }
  }
  visit(program, [], [])
  return entries
}

function describeOption(option: Option): OptionEntry {
  const valueName = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1]
  return {
    long: option.long ?? option.flags,
    description: option.description,
    value: valueName === undefined ? 'none' : isFileName(valueName) ? 'file' : 'other',
  }
}

function isFileName(name: string): boolean {
  return /file|dir|key|root|from/.test(name)
}

/** Single quotes: nothing inside means anything to a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

const functionName = (program: string) => `_${program.replaceAll('-', '_')}`

/** The options of any command that want a value, as a pattern of `case`. */
function valueOptions(entries: readonly CommandEntry[], value: OptionEntry['value']): string {
  const longs = entries.flatMap((entry) => entry.options.filter((option) => option.value === value))
  return [...new Set(longs.map((option) => option.long))].toSorted().join('|') || '--'
}

/** Walks the words typed so far down the tree; shared by bash and zsh, which agree on this much. */
function formatWalk(entries: readonly CommandEntry[]): string[] {
  const paths = entries.filter((entry) => entry.path !== '').map((entry) => quote(entry.path))
  return [
    `    case "$word" in`,
    `      ${valueOptions(entries, 'file')}|${valueOptions(entries, 'other')}) skip=1; continue ;;`,
    `      -*) continue ;;`,
    `    esac`,
    `    case "\${at:+$at }$word" in`,
    `      ${paths.join('|')}) at="\${at:+$at }$word" ;;`,
    `    esac`,
  ]
}

function formatBash(program: string, entries: readonly CommandEntry[]): string {
  const name = functionName(program)
  return [
    `# bash completion for ${program}: put "source <(${program} completion bash)" into ~/.bashrc`,
    `${name}() {`,
    `  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" at="" skip=0 word words="" files=0`,
    `  [ "$COMP_CWORD" -gt 0 ] && previous="\${COMP_WORDS[COMP_CWORD-1]}"`,
    `  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do`,
    `    if [ "$skip" = 1 ]; then skip=0; continue; fi`,
    ...formatWalk(entries),
    `  done`,
    `  COMPREPLY=()`,
    `  case "$previous" in`,
    `    ${valueOptions(entries, 'file')}) compopt -o default 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); return ;;`,
    `    ${valueOptions(entries, 'other')}) return ;;`,
    `  esac`,
    `  case "$at" in`,
    ...entries.flatMap((entry) => [
      `    ${quote(entry.path)})`,
      `      if [ "\${current#-}" != "$current" ]; then words=${quote(entry.options.map((o) => o.long).join(' '))}`,
      `      else words=${quote(entry.children.map((child) => child.name).join(' '))}${entry.takesFiles ? '; files=1' : ''}; fi ;;`,
    ]),
    `  esac`,
    `  COMPREPLY=($(compgen -W "$words" -- "$current"))`,
    `  if [ "$files" = 1 ]; then compopt -o default 2>/dev/null; COMPREPLY+=($(compgen -f -- "$current")); fi`,
    `}`,
    `complete -F ${name} ${program}`,
    '',
  ].join('\n')
}

function formatZsh(program: string, entries: readonly CommandEntry[]): string {
  const name = functionName(program)
  const describe = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([word, text]) => quote(`${word.replaceAll(':', '\\:')}:${text}`)).join(' ')
  return [
    `#compdef ${program}`,
    `# zsh completion for ${program}: put "source <(${program} completion zsh)" into ~/.zshrc after compinit`,
    `${name}() {`,
    `  local at="" skip=0 word previous="\${words[CURRENT-1]}"`,
    `  local -a choices`,
    `  for word in "\${(@)words[2,CURRENT-1]}"; do`,
    `    if [ "$skip" = 1 ]; then skip=0; continue; fi`,
    ...formatWalk(entries),
    `  done`,
    `  case "$previous" in`,
    `    ${valueOptions(entries, 'file')}) _files; return ;;`,
    `    ${valueOptions(entries, 'other')}) return ;;`,
    `  esac`,
    `  case "$at" in`,
    ...entries.flatMap((entry) => [
      `    ${quote(entry.path)})`,
      `      if [[ "\${words[CURRENT]}" == -* ]]; then choices=(${describe(entry.options.map((o) => [o.long, o.description]))})`,
      `      else choices=(${describe(entry.children.map((child) => [child.name, child.description]))})${entry.takesFiles ? '; _files' : ''}; fi ;;`,
    ]),
    `  esac`,
    `  _describe ${quote(program)} choices`,
    `}`,
    `if [ "$funcstack[1]" = ${quote(name)} ]; then ${name} "$@"; else compdef ${name} ${program}; fi`,
    '',
  ].join('\n')
}

function formatFish(program: string, entries: readonly CommandEntry[]): string {
  const at = `__${program.replaceAll('-', '_')}_at`
  const paths = entries.filter((entry) => entry.path !== '').map((entry) => quote(entry.path))
  const values = [valueOptions(entries, 'file'), valueOptions(entries, 'other')]
    .flatMap((pattern) => pattern.split('|'))
    .filter((long) => long !== '--')
  const lines = [
    `# fish completion for ${program}: put "${program} completion fish | source" into ~/.config/fish/config.fish`,
    `function ${at}`,
    `  set -l at ''`,
    `  set -l skip 0`,
    `  for word in (commandline -opc)[2..-1]`,
    `    if test $skip = 1; set skip 0; continue; end`,
    `    if contains -- $word ${values.join(' ')}; set skip 1; continue; end`,
    `    if string match -q -- '-*' $word; continue; end`,
    `    set -l next (string trim -- "$at $word")`,
    `    if contains -- $next ${paths.join(' ')}; set at $next; end`,
    `  end`,
    `  test "$at" = "$argv[1]"`,
    `end`,
    `complete -c ${program} -f`,
  ]
  for (const entry of entries) {
    const when = `-n ${quote(`${at} ${quote(entry.path)}`)}`
    for (const child of entry.children) {
      lines.push(
        `complete -c ${program} ${when} -a ${quote(child.name)} -d ${quote(child.description)}`,
      )
    }
    if (entry.takesFiles) lines.push(`complete -c ${program} ${when} -F`)
    for (const option of entry.options) {
      const value = option.value === 'none' ? '' : option.value === 'file' ? ' -r -F' : ' -x'
      lines.push(
        `complete -c ${program} ${when} -l ${option.long.replace(/^--/, '')}${value} -d ${quote(option.description)}`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}
