/**
 * Completion scripts for bash, zsh and fish, generated from the tree of commands: what is not a
 * command cannot be completed.
 */
import type { Command, Option } from 'commander'
import { wordsCommand } from './completion-words.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

interface CommandEntry {
  /** Names below the program, joined by a blank; empty for the program itself. */
  path: string
  children: { name: string; description: string }[]
  options: OptionEntry[]
  /** Whether an argument of the command is a file or folder. */
  takesFiles: boolean
  /** The kind of the command's argument, where the server knows the words for it. */
  words: WordKind | undefined
}

interface OptionEntry {
  long: string
  description: string
  value: 'none' | 'file' | 'other' | WordKind
}

/** Words that only the server knows; `completion-words KIND` asks it for them. */
export const wordKinds = ['fleet', 'rollout', 'device'] as const
export type WordKind = (typeof wordKinds)[number]

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
      words: command.registeredArguments.flatMap((argument) => wordKindOf(argument.name()))[0],
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
    value:
      valueName === undefined
        ? 'none'
        : (wordKindOf(option.long?.slice(2) ?? '')[0] ??
          (isFileName(valueName) ? 'file' : 'other')),
  }
}

function wordKindOf(name: string): WordKind[] {
  return wordKinds.filter((kind) => kind === name)
}

function isFileName(name: string): boolean {
  return /file|dir|key|root|from/.test(name)
}

/** Puts the text in single quotes, inside which nothing means anything to a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

const functionName = (program: string) => `_${program.replaceAll('-', '_')}`

/** `completion-words` is there for these scripts, not for people. */
const isVisible = (child: { name: string }) => child.name !== wordsCommand
const visible = (children: readonly { name: string }[]) =>
  children.filter(isVisible).map((child) => child.name)

/** The options of any command that want a value, as a pattern of `case`. */
function valueOptions(entries: readonly CommandEntry[], value: OptionEntry['value']): string {
  const longs = entries.flatMap((entry) => entry.options.filter((option) => option.value === value))
  return [...new Set(longs.map((option) => option.long))].toSorted().join('|') || '--'
}

/** The options of every kind that want a value, without the placeholder for none. */
function allValueOptions(entries: readonly CommandEntry[]): string[] {
  return (['file', 'other', ...wordKinds] as const)
    .flatMap((value) => valueOptions(entries, value).split('|'))
    .filter((long) => long !== '--')
}

/** The kinds of words that some option wants. */
function optionKinds(entries: readonly CommandEntry[]): WordKind[] {
  return wordKinds.filter((kind) => valueOptions(entries, kind) !== '--')
}

/** Walks the words typed so far down the tree; shared by bash and zsh, which agree on this much. */
function formatWalk(entries: readonly CommandEntry[]): string[] {
  const paths = entries.filter((entry) => entry.path !== '').map((entry) => quote(entry.path))
  return [
    `    case "$word" in`,
    `      ${allValueOptions(entries).join('|')}) skip=1; continue ;;`,
    `      -*) continue ;;`,
    `    esac`,
    `    case "\${at:+$at }$word" in`,
    `      ${paths.join('|')}) at="\${at:+$at }$word" ;;`,
    `    esac`,
  ]
}

function formatBash(program: string, entries: readonly CommandEntry[]): string {
  const name = functionName(program)
  const ask = (kind: string) => `"\${COMP_WORDS[0]}" ${wordsCommand} ${kind} 2>/dev/null | cut -f 1`
  return [
    `# bash completion for ${program}: put "source <(${program} completion bash)" into ~/.bashrc`,
    `${name}() {`,
    `  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" at="" skip=0 word words="" files=0 kind=""`,
    `  [ "$COMP_CWORD" -gt 0 ] && previous="\${COMP_WORDS[COMP_CWORD-1]}"`,
    `  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do`,
    `    if [ "$skip" = 1 ]; then skip=0; continue; fi`,
    ...formatWalk(entries),
    `  done`,
    `  COMPREPLY=()`,
    `  case "$previous" in`,
    `    ${valueOptions(entries, 'file')}) compopt -o default 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); return ;;`,
    `    ${valueOptions(entries, 'other')}) return ;;`,
    ...optionKinds(entries).map(
      (kind) =>
        `    ${valueOptions(entries, kind)}) COMPREPLY=($(compgen -W "$(${ask(kind)})" -- "$current")); return ;;`,
    ),
    `  esac`,
    `  case "$at" in`,
    ...entries.flatMap((entry) => [
      `    ${quote(entry.path)})`,
      `      if [ "\${current#-}" != "$current" ]; then words=${quote(entry.options.map((o) => o.long).join(' '))}`,
      `      else words=${quote(visible(entry.children).join(' '))}${entry.takesFiles ? '; files=1' : ''}${entry.words === undefined ? '' : `; kind=${entry.words}`}; fi ;;`,
    ]),
    `  esac`,
    `  if [ -n "$kind" ]; then words="$(${ask('"$kind"')})"; fi`,
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
    `  local at="" skip=0 word kind="" previous="\${words[CURRENT-1]}"`,
    `  local -a choices`,
    `  for word in "\${(@)words[2,CURRENT-1]}"; do`,
    `    if [ "$skip" = 1 ]; then skip=0; continue; fi`,
    ...formatWalk(entries),
    `  done`,
    `  case "$previous" in`,
    `    ${valueOptions(entries, 'file')}) _files; return ;;`,
    `    ${valueOptions(entries, 'other')}) return ;;`,
    ...optionKinds(entries).map((kind) => `    ${valueOptions(entries, kind)}) kind=${kind} ;;`),
    `    *) case "$at" in`,
    ...entries.flatMap((entry) => [
      `    ${quote(entry.path)})`,
      `      if [[ "\${words[CURRENT]}" == -* ]]; then choices=(${describe(entry.options.map((o) => [o.long, o.description]))})`,
      `      else choices=(${describe(entry.children.filter(isVisible).map((child) => [child.name, child.description]))})${entry.takesFiles ? '; _files' : ''}${entry.words === undefined ? '' : `; kind=${entry.words}`}; fi ;;`,
    ]),
    `    esac ;;`,
    `  esac`,
    `  if [ -n "$kind" ]; then choices=("\${(@f)$("\${words[1]}" ${wordsCommand} $kind 2>/dev/null | tr '\\t' ':')}"); fi`,
    `  _describe ${quote(program)} choices`,
    `}`,
    `if [ "$funcstack[1]" = ${quote(name)} ]; then ${name} "$@"; else compdef ${name} ${program}; fi`,
    '',
  ].join('\n')
}

function formatFish(program: string, entries: readonly CommandEntry[]): string {
  const at = `__${program.replaceAll('-', '_')}_at`
  const paths = entries.filter((entry) => entry.path !== '').map((entry) => quote(entry.path))
  const ask = (kind: WordKind) => quote(`(${program} ${wordsCommand} ${kind} 2>/dev/null)`)
  const values = allValueOptions(entries)
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
    for (const child of entry.children.filter(isVisible)) {
      lines.push(
        `complete -c ${program} ${when} -a ${quote(child.name)} -d ${quote(child.description)}`,
      )
    }
    if (entry.takesFiles) lines.push(`complete -c ${program} ${when} -F`)
    if (entry.words !== undefined) {
      lines.push(`complete -c ${program} ${when} -a ${ask(entry.words)}`)
    }
    for (const option of entry.options) {
      const value = formatFishValue(option.value, ask)
      lines.push(
        `complete -c ${program} ${when} -l ${option.long.replace(/^--/, '')}${value} -d ${quote(option.description)}`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

function formatFishValue(value: OptionEntry['value'], ask: (kind: WordKind) => string): string {
  switch (value) {
    case 'none':
      return ''
    case 'file':
      return ' -r -F'
    case 'other':
      return ' -x'
    case 'fleet':
    case 'rollout':
    case 'device':
      return ` -x -a ${ask(value)}`
  }
}
