// Configuration files in the style of Apache, for every rule and corner, and what reads them: ours, and Perl's
// Config::General.
import { spawnSync } from "node:child_process";
import { dirname, join, normalize } from "node:path";
import { perlVariables, type ConfigFiles, type ConfigGeneralOptions } from "@spoolwire/program";
import { root } from "./embedded.js";

/** Names of options of Config::General, and what they mean here. */
const ours: Readonly<Record<string, ConfigGeneralOptions>> = {
  "-InterPolateVars": { interpolate: perlVariables },
  "-LowerCaseNames": { lowerCaseNames: true },
  "-UseApacheInclude": { apacheInclude: true },
  "-IncludeAgain": { includeAgain: true },
};

export interface ConfigCase {
  /** A text is main.conf alone. */
  readonly files: string | Readonly<Record<string, string>>;
  /** Options of Config::General that are on, beside those for includes. */
  readonly options?: readonly string[];
}

/** A tree as an object, or that it was refused. */
export type ConfigResult = { readonly tree: unknown } | { readonly error: true };

const variables = ["-InterPolateVars"];
const apache = ["-UseApacheInclude"];

/** Those that Perl and we read alike, by what they show. */
export const agreed: Readonly<Record<string, ConfigCase>> = {
  "an empty file": { files: "" },
  "white space alone": { files: " \n\t\n\n" },
  "name = value": { files: "name = value\n" },
  "name=value": { files: "name=value\n" },
  "name value": { files: "name value\n" },
  "an equal sign wins over the white space before it": { files: "name  =  value\n" },
  "only the first separator counts": { files: "a b = c\nd = e = f\ng == h\ni j k\n" },
  "a name alone has no value": { files: "name\n" },
  "an equal sign and nothing is an empty value": { files: "name =\n" },
  "white space around a line goes": { files: "  name = value \t \n" },
  "white space within a value stays": { files: "name = a  b\tc\n" },
  "no line break at the end": { files: "name = value" },
  "letter case counts": { files: "Name = a\nname = b\n" },
  "lower case names": { files: "Name = A\n<Block Other>\nKEY = V\n</Block>\n", options: ["-LowerCaseNames"] },
  "text beyond ASCII": { files: "näme = wört ☺\n" },
  "a no-break space is no white space": { files: "name = a\u00a0\n" },
  "signs that mean nothing": {
    files: "a = 50%\nb = x;y\nc = (d)\ne = ~/f\ng = [h]\ni = {j}\nk = a:b,c|d&e\n",
  },

  "a repeated name is a list": { files: "a = 1\na = 2\nb = x\na = 3\n" },
  "a repeated name without values": { files: "a\na\n" },
  "a name like a method of objects": {
    files: "constructor = a\nhasOwnProperty = b\ntoString\n<valueOf>\n</valueOf>\n",
  },

  "a comment": { files: "# comment\nname = value # more\n" },
  "a comment in quotes is one": { files: 'name = "a # b"\n' },
  "a comment right after a value": { files: "name = value#comment\n" },
  "an escaped # is no comment": { files: "name = a\\#b # c\n" },
  "an escaped # at the beginning": { files: "\\#name = a\n" },
  "a # after two backslashes": { files: "name = a\\\\#b\n" },
  "indented comments": { files: "   # a\n\t#b\nname = value\n" },
  "a comment alone after a value that is none": { files: "name # nothing\n" },

  "a C comment on a line": { files: "/* comment */\nname = a /* b */ c\n" },
  "a C comment over lines": { files: "a = 1\n/* b = 2\nc = 3\n*/\nd = 4\n" },
  "a C comment with something after it": { files: "/* a\nb */ c = d\n" },
  "two C comments on a line are one": { files: "a = b /* c */ d /* e */ f\n" },
  "a C comment does not begin in a line": { files: "path = /a/* b\nc = d\n" },
  "a line comment hides no C comment": { files: "# /* a\nb = c\n" },
  "a wildcard path that looks like a C comment": { files: "path = /a/*/b/*/c\n" },

  "double quotes": { files: 'name = "a b"\n' },
  "double quotes keep white space": { files: 'name = "  a  "\n' },
  "nothing in quotes": { files: 'name = ""\n' },
  "a quote alone": { files: 'a = "\nb = "x\nc = y"\n' },
  "quotes within quotes": { files: 'name = "a "b" c"\n' },
  "quotes of two words": { files: 'name = "a" b "c"\n' },
  "single quotes are nothing special": { files: "name = 'a b'\n" },
  "quotes around a name": { files: '"a b" = c\n' },

  "escaped signs": { files: 'name = \\$a \\"b\\" \\\\c \\#d\n' },
  "backslashes before anything else stay": { files: "name = a\\nb\\t \\'c C:\\dir\n" },
  "escapes from left to right": { files: "name = \\\\\\\\$a\\\\\\$b\n" },
  "an escaped quote at the end": { files: 'name = "a\\"\n' },

  "a continued line": { files: "name = a \\\n  b \\\n  c\nd = e\n" },
  "a continued name": { files: "na\\\nme = value\n" },
  "two backslashes do not continue": { files: "name = a\\\\\nb = c\n" },
  "three backslashes do not continue": { files: "name = a\\\\\\\nb = c\n" },
  "a backslash and white space do not continue": { files: "name = a\\ \nb = c\n" },
  "an empty line ends a continued one": { files: "name = a \\\n\nb = c\n" },
  "a comment ends a continued line": { files: "name = a \\\n# b\nc = d\n" },
  "a comment after a backslash": { files: "name = a \\# b\nc = \\\n" + "d # e\n" },
  "a continued line with a block": { files: "<bl\\\nock>\na = b\n</block>\n" },

  "a here-document": { files: "name = <<EOF\na\n  b\n\nc\nEOF\nd = e\n" },
  "a here-document without an equal sign": { files: "name <<EOF\na\nEOF\n" },
  "a here-document without spaces": { files: "name=<<EOF\na\nEOF\n" },
  "a here-document with an indented mark": { files: "name = <<EOF\n    a\n      b\n  c\n    EOF\n" },
  "an empty here-document": { files: "name = <<EOF\nEOF\na = b\n" },
  "a here-document of white space": { files: "name = <<EOF\n  \n\n   EOF\n" },
  "nothing means anything in a here-document": {
    files: "name = <<EOF\n# a\n/* b */\n<block>\n<<include x>>\nc \\\nd = <<X\nEOF\n",
  },
  "escapes in a here-document": { files: 'name = <<EOF\n\\"a\\" \\\\ \\$b \\# \\n\nEOF\n' },
  "quotes around a here-document": { files: 'name = <<EOF\n"a"\n"b"\nEOF\n' },
  "a mark of several words": { files: "name = << THE END\na\nTHE END\n" },
  "a mark in quotes": { files: 'name = <<"EOF"\na\n"EOF"\n' },
  "a mark with white space after it": { files: "name = <<EOF\na\nEOF  \n" },
  "a mark within a line is none": { files: "name = <<EOF\na EOF\nEOFx\nEOF\n" },
  "a name of several words before a here-document": { files: "a b = <<EOF\nc\nEOF\n" },
  "repeated here-documents": { files: "a = <<E\n1\nE\na = <<E\n2\nE\n" },
  "a here-document in a block": { files: "<x>\n<y>\na = <<E\n  1\n   2\n  E\n</y>\n</x>\n" },
  "a comment after the mark's name": { files: "a = <<E # b\nc\nE\n" },

  "a block": { files: "<block>\na = b\n</block>\n" },
  "an empty block": { files: "<block>\n</block>\n" },
  "an empty block with a slash": { files: "<block/>\n<other name/>\n" },
  "a block in a block": { files: "<a>\n<b>\n<c>\nd = e\n</c>\n</b>\nf = g\n</a>\n" },
  "a block in a block of the same name": { files: "<a>\n<a>\nb = c\n</a>\n</a>\n" },
  "repeated blocks are a list": { files: "<a>\nb = 1\n</a>\n<a>\nb = 2\n</a>\n<a>\n</a>\n" },
  "a block with a name": { files: "<dir /usr>\na = b\n</dir>\n" },
  "blocks with names": { files: "<dir a>\nb = 1\n</dir>\n<dir c>\nd = 2\n</dir>\n" },
  "blocks with the same name": { files: "<d a>\nb = 1\n</d>\n<d a>\nb = 2\n</d>\n<d a>\nb = 3\n</d>\n" },
  "a block with a name of several words": { files: "<a b c d>\n</a>\n" },
  "a block with a name in quotes": { files: '<a "b c">\n</a>\n<"d e">\n</"d e">\n<"f g" "h i">\n</"f g">\n' },
  "a block without and one with a name": { files: "<a>\nb = 1\n</a>\n<a c>\nd = 2\n</a>\n" },
  "a block with and one without a name": { files: "<a c>\nd = 2\n</a>\n<a>\nb = 1\n</a>\n" },
  "a block, then a value": { files: "<a>\nb = c\n</a>\na = d\n" },
  "values, then a block": { files: "a = 1\na = 2\n<a>\nb = c\n</a>\n" },
  "indented blocks": { files: "  <a>\n\tb = c\n   </a>  \n" },
  "a comment after a tag": { files: "<a> # b\nc = d\n</a> # e\n" },
  "a value that looks like a tag": { files: "a = <b>\nc = </d>\ne <f\n" },
  "a name with a slash in it": { files: "<a/b>\nc = d\n</a/b>\n" },
  "an end without a beginning": { files: "a = b\n</c>\n" },
  "a beginning without an end": { files: "<a>\nb = c\n" },
  "one end too many": { files: "<a>\n</a>\n</a>\n" },
  "a block with a name after values": { files: "a = 1\na = 2\n<a b>\n</a>\n" },
  "a block with a name after a value": { files: "a = 1\n<a b>\n</a>\n" },
  "a block with a name after two without": { files: "<a>\n</a>\n<a>\n</a>\n<a b>\n</a>\n" },

  "an include": {
    files: { "main.conf": "a = 1\n<<include other.conf>>\nc = 3\n", "other.conf": "b = 2\na = 4\n" },
  },
  "an include in capitals": { files: { "main.conf": "<<INCLUDE other.conf>>\n", "other.conf": "b = 2\n" } },
  "an include in a block": { files: { "main.conf": "<x>\n<<include y>>\n</x>\n", y: "<z>\na = b\n</z>\n" } },
  "an include that ends a block": {
    files: { "main.conf": "<x>\n<<include y>>\nc = d\n", y: "a = b\n</x>\n" },
  },
  "an include from a directory is relative to it": {
    files: {
      "main.conf": "<<include sub/a.conf>>\n",
      "sub/a.conf": "<<include b.conf>>\n",
      "sub/b.conf": "c = d\n",
    },
  },
  "an include is sought where the first file is too": {
    files: {
      "main.conf": "<<include sub/a.conf>>\n",
      "sub/a.conf": "<<include b.conf>>\n",
      "b.conf": "c = d\n",
    },
  },
  "the nearer of two includes": {
    files: {
      "main.conf": "<<include s/a>>\n",
      "s/a": "<<include b>>\n",
      "s/b": "c = near\n",
      b: "c = far\n",
    },
  },
  "an include by wildcard": {
    files: {
      "main.conf": "<<include d/*.conf>>\n",
      "d/b.conf": "a = 2\n",
      "d/a.conf": "a = 1\n",
      "d/c.txt": "a = 3\n",
    },
  },
  "an include by every kind of wildcard": {
    files: {
      "main.conf": "<<include d/{b,a}[0-9]?.c>>\n<<include d/[!ab]*>>\n",
      ...{ "d/a1x.c": "a = 1\n", "d/b2y.c": "a = 2\n", "d/b2z.c": "a = 3\n", "d/ax1.c": "a = 4\n" },
      ...{ "d/cc": "a = 5\n", "d/.c": "a = 6\n", "d/d/e": "a = 7\n" },
    },
  },
  "a wildcard for directories": {
    files: {
      "main.conf": "<<include ?/x.conf>>\n",
      "b/x.conf": "a = 2\n",
      "a/x.conf": "a = 1\n",
      "c/y.conf": "a = 3\n",
    },
  },
  "a wildcard that matches nothing": { files: { "main.conf": "<<include d/*.conf>>\na = b\n" } },
  "an include of a directory": {
    files: {
      "main.conf": "<<include d>>\n",
      "d/b": "a = 2\n",
      "d/a": "a = 1\n",
      "d/e/c": "a = 3\n",
      "d/.x": "a = 4\n",
    },
  },
  "an include that is not there": { files: { "main.conf": "<<include nowhere.conf>>\n" } },
  "a file that is included twice is read once": {
    files: { "main.conf": "<<include x>>\n<b>\n<<include x>>\n</b>\n", x: "a = 1\n" },
  },
  "a file that is included twice is read again": {
    files: { "main.conf": "<<include x>>\n<b>\n<<include x>>\n</b>\n", x: "a = 1\n" },
    options: ["-IncludeAgain"],
  },
  "include is an option like others": { files: "include = a\nINCLUDE b\n" },
  "an include as Apache has it": {
    files: {
      "main.conf": 'include x\nInclude "y z"\nIncludeOptional nowhere\n',
      x: "a = 1\n",
      "y z": "b = 2\n",
    },
    options: apache,
  },
  "an include as Apache has it is relative too": {
    files: { "main.conf": "include s/*.c\n", "s/x.c": "include 'y'\n", "s/y": "b = 2\n" },
    options: apache,
  },
  "a mark of the encoding": { files: "\ufeffa = b\n" },

  "a variable": { files: "a = 1\nb = $a ${a}2 x${a}y\n", options: variables },
  "variables of the blocks around": {
    files: "a = 1\n<x>\nb = ${a}2\n<y>\nc = $a$b\n</y>\n</x>\nd = $a\n",
    options: variables,
  },
  "the nearer of two variables": { files: "a = 1\n<x>\na = 2\nb = $a\n</x>\nc = $a\n", options: variables },
  "a list stands for its first value": { files: "a = 1\na = 2\nb = $a\n", options: variables },
  "a variable made of others": { files: "a = 1\nb = ${a}2\nc = ${b}3\n", options: variables },
  "an escaped dollar": { files: "a = 1\nb = \\$a \\${a} \\\\$a\n", options: variables },
  "no variables in single quotes": { files: "a = 1\nb = '$a' \"$a\" $a\n", options: variables },
  "a variable in a block's name": { files: "a = x\n<$a>\n</x>\n<b $a>\n</b>\n", options: variables },
  "names of variables": {
    files: "a-b.c:d+e = 1\nb = $a-b.c:d+e;\n9 = x\nc = $9 $ $_ ${ $-\n",
    options: variables,
  },
  "a variable in a here-document": { files: "a = 1\nb = <<E\n$a\n'$a'\nE\n", options: variables },
  "a variable that is not there": { files: "b = $a\n", options: variables },
  "a variable of another block": { files: "<x>\na = 1\n</x>\nb = $a\n", options: variables },
  "a variable that comes later": { files: "b = $a\na = 1\n", options: variables },
  "without that option there are no variables": { files: "a = 1\nb = $a ${a}\n" },
};

/** Those that we read otherwise: why, and what we make of it. */
export const differences: Readonly<Record<string, ConfigCase & { readonly here: ConfigResult }>> = {
  "the end of another block is refused": { files: "<a>\nb = c\n</x>\n", here: { error: true } },
  "an unfinished here-document is refused, not dropped": {
    files: "a = b\nc = <<EOF\nd\n",
    here: { error: true },
  },
  "an unfinished C comment is refused, not dropped": { files: "a = b\n/* c\nd = e\n", here: { error: true } },
  "an unfinished continued line is refused, not dropped": {
    files: "a = b\nc = d \\\n",
    here: { error: true },
  },
  "the end of a C comment alone is refused; what is before it is not dropped": {
    files: "a = /b/*/c\n",
    here: { error: true },
  },
  "a value without a name is refused": { files: "= a\n", here: { error: true } },
  "a line that begins as a tag and is none is refused": { files: "<a\n", here: { error: true } },
  "a here-document on a continued line is refused": { files: "a \\\nb = <<E\nc\nE\n", here: { error: true } },
  "a file that includes itself is refused, not read once": {
    files: { "main.conf": "a = b\n<<include main.conf>>\n" },
    here: { error: true },
  },
  "a continued include is refused, not read as a block": {
    files: { "main.conf": "<<include \\\nother.conf>>\n</x>\n", "other.conf": "a = b\n" },
    here: { error: true },
  },
  "white space at the edges of a tag is nothing": { files: "< a >\n</ a >\n", here: { tree: { a: {} } } },
  "an empty block with white space is as empty": { files: "<a />\n", here: { tree: { a: {} } } },
  "a value may end with a slash and an angle": { files: "a = <b/>\n", here: { tree: { a: "<b/>" } } },
  "a block may come after a value": { files: "a = b\n<a>\n</a>\n", here: { tree: { a: ["b", {}] } } },
  "lines may end as in Windows": {
    files: "a = <<E\r\nb\r\nc\r\nE\r\nd = e \\\r\nf\r\n",
    here: { tree: { a: "b\nc", d: "e f" } },
  },
  "the name of an included file may be in quotes": {
    files: { "main.conf": '<<include "x y">>\n', "x y": "a = b\n" },
    here: { tree: { a: "b" } },
  },
};

/** What Perl makes of them. */
export function readWithPerl(cases: readonly ConfigCase[]): ConfigResult[] {
  const input = cases.map(({ files, options = [] }) => ({
    files: filesOf(files),
    options: Object.fromEntries(options.map((option) => [option, 1])),
  }));
  const script = join(root, "test/fixtures/config-general.pl");
  const done = spawnSync("perl", [script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: Infinity,
  });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout) as ConfigResult[];
}

/** Our options for theirs. */
export const optionsOf = (options: readonly string[]): ConfigGeneralOptions =>
  Object.assign({}, ...options.map((option) => ours[option])) as ConfigGeneralOptions;

export const filesOf = (files: ConfigCase["files"]): Readonly<Record<string, string>> =>
  typeof files === "string" ? { "main.conf": files } : files;

/** Files that are nowhere but here: by their paths, without wildcards. */
export function inMemory(files: Readonly<Record<string, string>>): ConfigFiles {
  return {
    read: (path) => files[path] ?? "",
    find: (target, from) => {
      const path = normalize(join(dirname(from), target));
      return Object.hasOwn(files, path) ? [path] : undefined;
    },
  };
}
