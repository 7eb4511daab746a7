import { CommandError } from './errors';

/** Options and arguments of which one is wanted, in the words of a message; whether each was given. */
type Choices = Readonly<Record<string, boolean>>;

/**
 * Checks that a command was given one of the ways to say what it is about.
 *
 * @throws CommandError `usage`, in other words where there are too many than where there is none
 */
export function assertExactlyOne(choices: Choices): void {
  const names = Object.keys(choices);
  const count = countOf(choices);
  if (count === 1) return;
  if (names.length === 2)
    throw new CommandError(
      'usage',
      count === 0 ? `Give ${names.join(', or ')}` : `Give either ${names.join(' or ')}, not both`,
    );
  throw new CommandError('usage', `Give ${count === 0 ? 'one' : 'only one'} of ${listed(names)}`);
}

/** Checks that options which exclude each other were not given together. @throws CommandError `usage`, naming all of them */
export function assertAtMostOne(choices: Choices): void {
  if (countOf(choices) < 2) return;
  const names = Object.keys(choices);
  throw new CommandError('usage', `${listed(names)} are mutually exclusive: give only one`);
}

const countOf = (choices: Choices): number => Object.values(choices).filter(Boolean).length;

const listed = (names: readonly string[]): string => `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
