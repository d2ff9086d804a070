import type { Health, HealthProblem } from '../app.ts'

/**
 * Keeps problems. `onChange` gets this worker's own ones; those of the others come in by
 * `setOthers`.
 */
export function createHealth(onChange: (own: readonly HealthProblem[]) => void): Health {
  const own = new Map<string, string>()
  let others: readonly HealthProblem[] = []
  return {
    report(part, problem) {
      if ((own.get(part) ?? null) === problem) return
      if (problem === null) own.delete(part)
      else own.set(part, problem)
      onChange([...own].map(([name, text]) => ({ part: name, problem: text })))
    },
    setOthers(problems) {
      others = problems
    },
    hasProblem: (part) => own.has(part),
    problems() {
      const mine = [...own].map(([part, problem]) => ({ part, problem }))
      return [...mine, ...others.filter(({ part }) => !own.has(part))]
    },
  }
}
