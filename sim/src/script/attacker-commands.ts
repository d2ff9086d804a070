/** What the attacker gets hold of, and does with it. */
import { releasePath } from '@seaworthy/trust/tuf'
import { attacks } from '../attacks/index.ts'
import type { Attacker } from '../world/attacker.ts'
import type { Commands } from './command.ts'
import type { Arguments } from './parse-script.ts'
import { ScriptError } from './parse-script.ts'

export const attackerCommands: Commands = {
  attacker: {
    usage: `attacker takes server | mirror NAME | device NAME | COUNT keys of ROLE
       attacker leaves
       attacker records NAME | replays NAME | assigns PATH [sha256=…] | assigns nothing
       attacker does ATTACK [ARGUMENTS]`,
    async run(stage, given) {
      const { attacker } = stage
      const verb = given.next('what the attacker does')
      switch (verb) {
        case 'takes':
          return take(stage.attacker, given)
        case 'leaves':
          return attacker.leave()
        case 'records':
          return attacker.record(given.next('name'))
        case 'replays':
          return attacker.replay(given.next('name'))
        case 'assigns':
          return assign(stage.attacker, given)
        case 'does': {
          const name = given.next('attack')
          const attack = Object.hasOwn(attacks, name) ? attacks[name] : undefined
          if (attack === undefined) throw new ScriptError(`there is no attack ${name}`)
          return attack.run(stage.attacker, given)
        }
        default:
          throw new ScriptError(`an attacker cannot ${verb}`)
      }
    },
  },
}

function take(attacker: Attacker, given: Arguments): void {
  if (given.take('server')) return attacker.takeServer()
  if (given.take('mirror')) return attacker.takeMirror(given.next('mirror'))
  if (given.take('device')) return attacker.takeDevice(given.next('device'))
  const count = given.count('how many keys')
  given.take('keys')
  given.take('key')
  given.take('of')
  attacker.takeKeys(given.next('role'), count)
}

/**
 * Assigns to every device that asks. The digest is that of the release, if it was ever published,
 * or the one given.
 */
function assign({ world, hasServer }: Attacker, given: Arguments): void {
  if (!hasServer) throw new ScriptError('only the server assigns')
  const targetPath = given.next('path')
  if (targetPath === 'nothing') {
    world.server.assign = () => null
    return
  }
  const published = world.signed.findLast(
    ({ product, channel, version }) => releasePath(product, channel, version) === targetPath,
  )
  const sha256 = given.option('sha256') ?? published?.built.sha256 ?? '0'.repeat(64)
  world.server.assign = () => ({ targetPath, sha256 })
}
