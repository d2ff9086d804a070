/** Texts of statements: what may steer a terminal is in none of them. */

/** Whether it can be stored and shown: no control character but the end of a line. */
export function isHarmlessText(text: string): boolean {
  return text.isWellFormed() && !/(?!\n)[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(text)
}
