/** The options that all commands which make or sign proposals share. */
import type { Command } from 'commander'
import { collect } from '../options.ts'

/** `--sign-with`, for commands whose `--key` names other people's keys or none. */
export function addSigningOptions(command: Command): Command {
  return addPassphraseOption(
    command
      .option('--sign-with <key-file>', 'sign with this key right away, repeatable', collect)
      .option('--no-apply', 'leave publishing to somebody else when every threshold is met'),
  )
}

/** Adds the options of commands that show content before it is signed. */
export function addContentOptions(command: Command): Command {
  return command
    .option('--all', 'show every entry of the file trees, however many')
    .option('--unchecked', 'sign even what this machine could not compute from the content')
}

export function addPassphraseOption(command: Command): Command {
  return command.option(
    '--passphrase-file <file>',
    'passphrase for the keys; once for all, or once per key in their order',
    collect,
  )
}
