import type { Arguments } from '../script/parse-script.ts'
import type { Attacker } from '../world/attacker.ts'

export interface Attack {
  /** What the attack needs and does, for `--help`. */
  readonly usage: string
  run(attacker: Attacker, given: Arguments): Promise<void>
}
