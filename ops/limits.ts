const DAY_MS = 86_400_000;

/** Days since a moment. */
export function daysSince(iso: string, now: Date): number {
  return (now.getTime() - Date.parse(iso)) / DAY_MS;
}
