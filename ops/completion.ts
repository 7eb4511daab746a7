import { ENVIRONMENT_FOLDER, LOCAL_ENVIRONMENT } from '../core/contract';
import { ENVIRONMENTS_VARIABLE } from './environment-names';
import { GLOBAL_OPTIONS, type Command } from './command';
import { kebabCase } from './usage';

/** Shells that completion is printed for. */
export const SHELLS = ['bash', 'zsh'] as const;

/**
 * A script that completes commands, options and the words that options and arguments take.
 *
 * @param commands every command
 */
export function completionScript(shell: (typeof SHELLS)[number], commands: readonly Command[]): string {
  const nodes = new Map<string, Set<string>>();
  const add = (path: string, ...words: string[]): void => {
    nodes.set(path, new Set([...(nodes.get(path) ?? []), ...words]));
  };
  add('', 'completion', 'help', '--env', '--json', '--verbose', '--version');
  for (const command of commands) {
    const words = command.name.split(' ');
    for (const [index, word] of words.entries()) add(words.slice(0, index).join(' '), word);
    const choices = Object.values(command.arguments).flatMap(({ form }) => form?.choices ?? []);
    add(command.name, ...choices, ...Object.keys(command.options).map(kebabCase), '--env', '--json', '--verbose');
    if (command.effect !== 'reads') add(command.name, kebabCase('withoutAudit' satisfies keyof typeof GLOBAL_OPTIONS));
  }
  const values = commands.flatMap(({ options }) =>
    Object.entries(options).flatMap(([name, { form }]) =>
      form?.choices === undefined ? [] : [`    ${kebabCase(name)}) words='${form.choices.join(' ')}' ;;`],
    ),
  );
  return `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_ops_words() {
  case "$1" in
${[...nodes].map(([path, words]) => `    '${path}') echo '${[...words].join(' ')}' ;;`).join('\n')}
    *) return 1 ;;
  esac
}
_ops() {
  local path='' word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if _ops_words "\${path:+$path }$word" >/dev/null; then path="\${path:+$path }$word"; fi
  done
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    --env) words="${LOCAL_ENVIRONMENT} $(ls "\${${ENVIRONMENTS_VARIABLE}:-${ENVIRONMENT_FOLDER}}" 2>/dev/null | sed -n 's/^\\([a-z0-9-]*\\)\\.\\(yaml\\|yml\\|json\\)$/\\1/p' | grep -vx schema)" ;;
${[...new Set(values)].join('\n')}
    *) words="$(_ops_words "$path")" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _ops ops
`;
}
