import { valueName } from "./manual.js";
import type { OptionEntry } from "./options.js";

/** The shells that a completion can be written for. */
export const shells = ["bash"] as const;

const files = 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word")';
const words = (list: readonly string[]) =>
  `mapfile -t COMPREPLY < <(compgen -W '${list.join(" ")}' -- "$word")`;

/**
 * A script that completes the options of a program in bash, made from its table. To be read by the shell at its
 * start: `source <(stompclt --completion bash)`.
 * @param commands what is not an option is one of these, and not a file
 */
export function completion(
  program: string,
  entries: readonly OptionEntry[],
  commands: readonly string[] = [],
): string {
  const cases = entries
    .filter((entry) => valueName(entry) !== undefined)
    .map((entry) => {
      const values = entry.choices ? words(entry.choices) : isFile(entry) ? files : ":";
      return `    ${forms(entry).join("|")}) ${values}; return ;;`;
    });
  return script(
    program,
    `  local option=\${COMP_WORDS[COMP_CWORD-1]}
  # To the shell --name=value is three words.
  if [[ $word == = ]]; then
    word=
  elif [[ $option == = ]]; then
    option=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  case $option in
${cases.join("\n")}
  esac
  if [[ $word == -* ]]; then
    ${words(entries.flatMap(forms))}
  else
    ${commands.length > 0 ? words(commands) : files}
  fi`,
  );
}

/** The same for a program whose first argument is the name of a command; each command lists its options then. */
export function commandCompletion(program: string, commands: readonly string[]): string {
  return script(
    program,
    `  if ((COMP_CWORD == 1)); then
    ${words(commands)}
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$("\${COMP_WORDS[0]}" "\${COMP_WORDS[1]}" --list 2>/dev/null)" -- "$word")
  else
    ${files}
  fi`,
  );
}

function script(program: string, body: string): string {
  const name = `_${program.replace(/\W/g, "_")}`;
  return `# Completion of ${program} in bash.
${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
${body}
}
complete -F ${name} ${program}
`;
}

/** Whether the value is the name of a file. */
const isFile = (entry: OptionEntry) => /FILE|PATH|DIRECTORY/.test(valueName(entry) ?? "");

/** Every way to write an option: its name, without, its letter. */
const forms = (entry: OptionEntry) => [
  `--${entry.name}`,
  ...(entry.type === "boolean" && !entry.notInFiles ? [`--no-${entry.name}`] : []),
  ...(entry.short ? [`-${entry.short}`] : []),
];
