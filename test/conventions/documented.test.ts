import { sourcesIn, type Source } from './sources';

/** A property of an exported interface, with the comment above it. */
interface Property {
  /** `file: Interface.property` */
  readonly name: string;
  readonly optional: boolean;
  /** Empty where there is none. */
  readonly comment: string;
}

/** The properties of each exported interface of a file; of nested objects, only the outer property. */
function propertiesOf({ path, text }: Source): Property[] {
  const interfaces = text.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms);
  return [...interfaces].flatMap(([, interfaceName = '', body = '']) =>
    [...body.matchAll(/(\/\*\*(?:(?!\*\/).)*\*\/\n)?^ {2}readonly (\w+)(\??):/gms)].map(
      ([, comment = '', property = '', optional]) => ({
        name: `${path}: ${interfaceName}.${property}`,
        optional: optional === '?',
        comment,
      }),
    ),
  );
}

// The recovery workflow's own room documents the states that it is made of, beside them.
const PROPERTIES = sourcesIn('lib')
  .filter(({ path }) => !path.startsWith('lib/operations/recovery/'))
  .flatMap(propertiesOf);

test('the interfaces of lib are found', () => {
  expect(PROPERTIES.length).toBeGreaterThan(200);
});

test('every property of an exported interface of lib has a comment', () => {
  expect(PROPERTIES.filter(({ comment }) => comment === '').map(({ name }) => name)).toEqual([]);
});

test('the comment of every optional property of an exported interface of lib says what its default is', () => {
  const optional = PROPERTIES.filter(({ optional: isOptional }) => isOptional);
  expect(optional.length).toBeGreaterThan(10);
  expect(optional.filter(({ comment }) => !comment.includes('@default')).map(({ name }) => name)).toEqual([]);
});

test('a property without a comment is told from its commented neighbours', () => {
  const text = 'export interface Props {\n  /** One. */\n  readonly one: string;\n  readonly two?: string;\n}\n';
  expect(propertiesOf({ path: 'a.ts', text })).toEqual([
    { name: 'a.ts: Props.one', optional: false, comment: '/** One. */\n' },
    { name: 'a.ts: Props.two', optional: true, comment: '' },
  ]);
});
