const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes for people, in binary units. */
export function bytes(count: number): string {
  const power = Math.min(UNITS.length - 1, count < 1 ? 0 : Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/** Milliseconds for people. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : span(ms / 1000);
}

/** Seconds for people, rounded to what matters. */
export function span(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  const hours = seconds / 3600;
  return hours < 48 ? `${hours.toFixed(hours < 10 ? 1 : 0)} h` : `${Math.round(hours / 24)} d`;
}

/** A moment in UTC with its age: `2026-11-21 06:00:00Z (3 min ago)`. */
export function moment(iso: string | null | undefined, now: Date): string {
  if (iso === null || iso === undefined) return '–';
  const seconds = (now.getTime() - Date.parse(iso)) / 1000;
  const distance = seconds >= 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
  return `${new Date(iso).toISOString().slice(0, 19).replace('T', ' ')}Z (${distance})`;
}

/** A count with its noun: `1 event`, `2 events`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
