import type { Health } from './app.ts'

export function createHealth(): Health {
  const problems = new Map<string, string>()
  return {
    report(part, problem) {
      if (problem === null) problems.delete(part)
      else problems.set(part, problem)
    },
    problems: () => [...problems].map(([part, problem]) => ({ part, problem })),
  }
}
