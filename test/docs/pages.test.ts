import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  DATABASE_NAMES,
  DRILL_LIMIT_DAYS,
  MAINTENANCE_GRACE_DAYS,
  maintenancePeriods,
  RECORDED_JOB_LIMIT_MINUTES,
} from '../../core/contract';
import { EXIT_STATUS } from '../../core/runtime/error-codes';
import { STREAMING_LIMIT_GIB } from '../../lib/config/policies';
import { COMMANDS, GROUPS } from '../../ops/commands';
import { kebabCase } from '../../ops/usage';
import { sourcesIn } from '../conventions/sources';

const ROOT = path.resolve(__dirname, '../..');
const PAGES = new Map(
  globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'test/*.md'], { cwd: ROOT })
    .toSorted()
    .map((page) => [page, readFileSync(path.join(ROOT, page), 'utf8')] as const),
);
const FENCED = /^[ \t]*```[^\n]*\n(.*?)^[ \t]*```/gms;

/** What a check finds wrong with each page, as `page: finding`. */
function findings(check: (text: string, page: string) => string[]): string[] {
  return [...PAGES].flatMap(([page, text]) => check(text, page).map((finding) => `${page}: ${finding}`));
}

/** Anchors of a page's headings, as GitHub makes them; of equal headings, the later ones are numbered. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...text.replaceAll(FENCED, '').matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const earlier = seen.get(anchor) ?? 0;
    seen.set(anchor, earlier + 1);
    return earlier === 0 ? anchor : `${anchor}-${earlier}`;
  });
}

const ANCHORS = new Map([...PAGES].map(([page, text]) => [page, anchorsOf(text)] as const));

function brokenLinksIn(text: string, page: string): string[] {
  const prose = text.replaceAll(FENCED, '').replaceAll(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file = '', anchor] = target.split('#');
    const linked = file === '' ? page : path.posix.join(path.posix.dirname(page), file);
    const anchors = ANCHORS.get(linked);
    return anchors ? anchor !== undefined && !anchors.includes(anchor) : !existsSync(path.join(ROOT, linked));
  });
}

test('every link of a page leads to a file, and to a heading of it', () => {
  expect(findings(brokenLinksIn)).toEqual([]);
});

test('a link to a heading or a file that does not exist is found', () => {
  const links = '[a](#nowhere) [b](nowhere.md) [c](ops.md#nowhere) [d](../README.md) [e](runbook.md#lock-wait)';
  expect(brokenLinksIn(links, 'docs/errors.md')).toEqual(['#nowhere', 'nowhere.md', 'ops.md#nowhere']);
});

test('every heading of a page that a message of the code names exists', () => {
  const named = ['core', 'lambdas', 'lib', 'local', 'ops'].flatMap(sourcesIn).flatMap(({ path: file, text }) =>
    [...text.matchAll(/\b(docs\/[\w-]+\.md)#([\w-]+)/g)].map(([link, page = '', anchor = '']) => ({
      found: `${file}: ${link}`,
      exists: ANCHORS.get(page)?.includes(anchor),
    })),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.flatMap(({ found, exists }) => (exists ? [] : [found]))).toEqual([]);
});

/** The words behind `ops` of each command line in code spans and blocks; options before a command are left out. */
function opsLinesIn(text: string): string[][] {
  const blocks = [...text.matchAll(FENCED)].flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'));
  const spans = [...text.replaceAll(FENCED, '').matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
  return [...blocks.map((line) => line.replace(/\s#.*$/, '')), ...spans].flatMap((line) => {
    const [, words] = /^\s*(?:npx )?ops\s+([a-z].*)$/s.exec(line) ?? [];
    return words === undefined ? [] : [words.trim().split(/\s+/)];
  });
}

const NAMES = new Map(COMMANDS.map((command) => [command.name, command] as const));
const GLOBAL: readonly string[] = ['--env', '--json', '--verbose', '--without-audit', '--help'];

/** What is wrong with a line: a command that does not exist, or an option that its command does not have. */
function unknownIn(words: readonly string[]): string[] {
  const [first = '', second = '…'] = words;
  // Commands of the program itself, and a group that is named as a whole.
  if (['help', 'completion'].includes(first) || (second === '…' && first in GROUPS)) return [];
  // `webhooks list|show` names two commands.
  const prefixes = words
    .slice(0, 3)
    .map((_, index) => words.slice(0, index + 1))
    .toReversed()
    .map((prefix) => {
      const last = prefix.at(-1)?.split('|') ?? [];
      return last.map((choice) => [...prefix.slice(0, -1), choice].join(' '));
    });
  const named = prefixes.find((choices) => choices.some((choice) => NAMES.has(choice)));
  if (named === undefined) return [`no command: ${words.slice(0, 3).join(' ')}`];
  return named.flatMap((name) => {
    const command = NAMES.get(name);
    if (command === undefined) return [`no command: ${name}`];
    const options = [...Object.keys(command.options).map(kebabCase), ...GLOBAL];
    const given = words.flatMap((word) => /^\[?(--[a-z0-9-]+)/.exec(word)?.[1] ?? []);
    return given.filter((option) => !options.includes(option)).map((option) => `${name} has no ${option}`);
  });
}

test('every command and option of ops that a page names exists', () => {
  expect(findings((text) => opsLinesIn(text).flatMap(unknownIn))).toEqual([]);
});

test('a command and an option that do not exist are found', () => {
  const text = '`ops webhooks list|shwo`, `ops rules put`\n\n```bash\nnpx ops cleanup --dry-run --all # deletes\n```\n';
  expect(opsLinesIn(text).flatMap(unknownIn)).toEqual([
    'cleanup has no --all',
    'no command: webhooks shwo',
    'no command: rules put',
  ]);
});

/** Exit codes that a sentence gives a command, such as: the next `ops access plan` shows any other drift, and exits 1. */
function wrongExitCodesIn(text: string): string[] {
  const sentences = text.matchAll(/`(?:npx )?ops ([a-z][^`]*)`[^.`]{0,80}?\bexits?(?: with)? (\d)\b/g);
  return [...sentences].flatMap(([, line = '', code = '']) => {
    const words = line.split(/\s+/);
    const command = [3, 2, 1].map((count) => NAMES.get(words.slice(0, count).join(' '))).find((found) => found);
    const isGiven = Object.values<number>(EXIT_STATUS).includes(Number(code));
    return isGiven && (code !== '1' || command?.finding !== undefined) ? [] : [`${line} does not exit with ${code}`];
  });
}

test('every exit code that a page gives a command of ops is one of its own', () => {
  expect(findings(wrongExitCodesIn)).toEqual([]);
});

test('an exit code that a command does not have is found', () => {
  const text = 'The next `ops access plan` shows it, and exits 1. `ops keys list` exits with 1. `ops verify` exits 9.';
  expect(wrongExitCodesIn(text)).toEqual(['keys list does not exit with 1', 'verify does not exit with 9']);
});

/** Files that a page names as what its reader would make, and the log of what was there. */
const NOT_HERE = /heartbeat|prod2|[<…]/;

test('every file of the repository that a page names exists', () => {
  const missing = findings((text, page) =>
    [...text.replaceAll(FENCED, '').matchAll(/`((?:bin|core|docs|examples|lambdas|lib|local|ops|test)\/[^`\s]+)`/g)]
      .map(([, file = '']) => file)
      .filter((file) => page !== 'CHANGELOG.md' && !NOT_HERE.test(file))
      .filter((file) => !existsSync(path.join(ROOT, file)) && globSync(file, { cwd: ROOT }).length === 0),
  );
  expect(missing).toEqual([]);
});

test('docs/architecture.md says of every function when it runs and what it does', () => {
  const [, table = ''] = /^## Functions\n(.*?)^### /ms.exec(PAGES.get('docs/architecture.md') ?? '') ?? [];
  const described = [...table.matchAll(/^\| `([\w-]+)`/gm)].map(([, name = '']) => name);
  expect(described.toSorted()).toEqual(readdirSync(path.join(ROOT, 'lambdas')).toSorted());
});

test('docs/api.md names every job of /health/jobs, with the age from which it is late', () => {
  const rows = (PAGES.get('docs/api.md') ?? '').split('\n').filter((line) => line.startsWith('| `'));
  const documented = (job: string, limit: string) =>
    rows.some((row) => row.includes(`\`${job}\``) && row.replaceAll(/[ |]+$/g, '').endsWith(limit));
  const minutes = (limit: number) => (limit < 120 ? `${limit} minutes` : `${limit / 60} hours`);
  const jobs = [
    ...Object.entries(RECORDED_JOB_LIMIT_MINUTES).map(([job, limit]) => [job, minutes(limit)] as const),
    ['drill-<database>', `${DRILL_LIMIT_DAYS} days`] as const,
    ...maintenancePeriods('billing').map(([task, days]) => {
      const ofEach = DATABASE_NAMES.every((name) => maintenancePeriods(name).some(([other]) => other === task));
      const job = task === 'report' ? 'maintenance-report' : `maintenance-${task}-${ofEach ? '<database>' : 'billing'}`;
      return [job, `${days + MAINTENANCE_GRACE_DAYS} days`] as const;
    }),
  ];
  expect(jobs.filter(([job, limit]) => !documented(job, limit))).toEqual([]);
});

test('every size above which a page says that a database is archived in parts is the limit of the policy', () => {
  const named = findings((text) => [...text.matchAll(/\b(?:above|below) (\d+) GiB/g)].map(([, gib = '']) => gib));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((finding) => !finding.endsWith(`: ${STREAMING_LIMIT_GIB}`))).toEqual([]);
});
