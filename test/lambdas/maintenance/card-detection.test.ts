import { detectCards } from '../../../lambdas/maintenance/cards/detect';
import { cardCorpus, idsOfDigits } from '../../factories/card-corpus';

/** Innocent texts of each kind. */
const EACH = 200;

test('cards are found in every form that the corpus plants, and none in what only looks like one', () => {
  const corpus = cardCorpus(EACH);
  const results = corpus.map((text) => ({ ...text, found: detectCards(text.text).cards }));
  const planted = results.filter((text) => text.planted);
  const missed = planted.filter(({ found }) => found.length !== 1).map(({ kind }) => kind);
  const wrongCode = planted.filter(({ found, code }) => found.some(({ withCode }) => withCode !== code));
  const innocent = results.filter((text) => !text.planted);
  const wrong = innocent.filter(({ found }) => found.length > 0);
  // A table for people who read the run; no text of the corpus.
  process.stdout.write(
    `card corpus: ${planted.length} planted, ${planted.length - missed.length} found, ${missed.length} missed; ` +
      `${innocent.length} innocent, ${wrong.length} false\n`,
  );
  expect(missed).toEqual([]);
  expect(wrongCode.map(({ kind }) => kind)).toEqual([]);
  expect([...new Set(wrong.map(({ kind }) => kind))]).toEqual([]);
});

test('of ids in the form of cards, nine tenths fail the check digit', () => {
  const found = idsOfDigits(1_000).map((id) => detectCards(id));
  const cards = found.flatMap((each) => each.cards);
  expect(cards.every(({ bare }) => bare)).toBe(true);
  expect(cards.length).toBeGreaterThan(50);
  expect(cards.length).toBeLessThan(150);
  expect(cards.length + found.reduce((sum, each) => sum + each.failedChecks, 0)).toBe(1_000);
});
