/** A drill on record: the table has one column for what ended it and for what it did not restore as archived. */
interface RecordedDrill {
  readonly outcome: string;
  readonly error: string | null;
}

/** What a drill on record did not restore as archived, in words; null when it has no findings, or ended with an error. */
export function recordedFindings({ outcome, error }: RecordedDrill): string | null {
  return outcome === 'passed' || outcome === 'slow' ? error : null;
}

/** The outcome of a drill in words: `passed with findings` where it did not restore everything as archived. */
export function drillOutcome(outcome: string, findings: string | null): string {
  return findings === null ? outcome : `${outcome} with findings`;
}
