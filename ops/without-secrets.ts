/** Secrets that a person may type or paste, by their forms, with what is left of each. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  // A key of the HTTP API: its id is public.
  [/\bbok_([0-9A-Za-z]+)_[\w-]+/g, 'bok_$1_…'],
  [/\b(whsec_|(?:sk|rk)_(?:org_)?(?:live|test)_)[A-Za-z0-9+/=_-]+/g, '$1…'],
  // A key of Tilled names no mode. What is shorter is a name.
  [/\bsk_[A-Za-z0-9]{20,}/g, 'sk_…'],
  // The password of a connection string.
  [/(:\/\/[^\s:@/]*:)[^\s@]+@/g, '$1…@'],
];

/** A text for the audit log, whose records nobody can delete for a year, without the secrets that it may hold by mistake. */
export function withoutSecrets(text: string): string {
  return FORMS.reduce((rest, [form, left]) => rest.replace(form, left), text);
}
