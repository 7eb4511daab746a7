/** The outcome of a drill in words; findings are what a drill that restored its archive did not restore as archived. */
export function drillOutcome(outcome: string, findings: string | null): string {
  return findings === null ? outcome : `${outcome} with findings`;
}

/** The findings of a drill on record, which are in the place of the error when it restored its archive. */
export function recordedFindings({ outcome, error }: { readonly outcome: string; readonly error: string | null }) {
  return outcome === 'passed' || outcome === 'slow' ? error : null;
}
