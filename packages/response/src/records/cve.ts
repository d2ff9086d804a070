/** Ids of CVE: `CVE-YEAR-NUMBER`, with four to nineteen digits (the schema of CVE records). */
export function isCveId(text: string): boolean {
  return /^CVE-\d{4}-\d{4,19}$/.test(text)
}
