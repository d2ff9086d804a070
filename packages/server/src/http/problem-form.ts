/** What clients get of a refusal beside its code and message. */
export interface Mapped {
  readonly status: number
  readonly title: string
}

export const no = (status: number, title: string): Mapped => ({ status, title })
