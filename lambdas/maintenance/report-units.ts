const DAY_MS = 86_400_000;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes for people, in binary units. */
export function bytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(count) / 10));
  return `${power === 0 ? Math.round(count) : (count / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

/** A difference in bytes with its sign, or a dash where there is nothing to compare with. */
export function change(now: number, before: number | null): string {
  if (before === null) return '–';
  const difference = now - before;
  if (difference === 0) return '±0';
  return `${difference > 0 ? '+' : '-'}${bytes(Math.abs(difference))}`;
}

/** The day of an ISO time, or a dash. */
export function day(iso: string | null): string {
  return iso === null ? '–' : iso.slice(0, 10);
}

/** Whole days since an ISO time. */
export function daysSince(iso: string, now: Date): number {
  return Math.floor((now.getTime() - Date.parse(iso)) / DAY_MS);
}

/** Hours since an ISO time, with a decimal. */
export function hoursSince(iso: string, now: Date): number {
  return Math.round((now.getTime() - Date.parse(iso)) / 360_000) / 10;
}

/** Milliseconds as minutes, or seconds below one. */
export function minutes(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** Whole days since an ISO time, for people. */
export function age(iso: string, now: Date): string {
  const days = daysSince(iso, now);
  return days === 1 ? '1 day' : `${days} days`;
}
