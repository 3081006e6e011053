import { addNode, emptyBlock, type ConfigBlock, type ConfigNode } from "./config-tree.js";
import { ConfigError } from "./errors.js";

/** Most levels: the reader calls itself for each. */
const MOST_LEVELS = 100;

/** White space, then a string, a word, null or a mark. No part can match a text in two ways: that would take for ever. */
const tokens =
  /[ \t\r\n]*(?:("[^"\\\0-\x1f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\0-\x1f]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false)|(null)|([{}[\],:]))/y;

interface Token {
  readonly kind: "string" | "word" | "null" | "mark" | "end";
  readonly text: string;
  readonly line: number;
}

/**
 * Read JSON, strictly. An object is a block, an array a name that is given several times, null a name alone; numbers,
 * true and false come as they are written. JSON.parse would not tell the lines, and quotes the text in its errors,
 * which may be a secret.
 * @throws ConfigError CONFIG_BAD_FILE with the first fault
 */
export function parseJson(text: string, file: string): ConfigBlock {
  return new JsonReader(text, file).whole();
}

class JsonReader {
  readonly #text: string;
  readonly #file: string;
  #offset = 0;
  #line = 1;
  #token: Token;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
    this.#token = this.#read();
  }

  whole(): ConfigBlock {
    if (this.#token.text !== "{") this.#refuse("an object");
    const node = this.#object(0);
    if (this.#token.kind !== "end") this.#refuse("the end of the file");
    return node;
  }

  /** The nodes of the next value: those of an array's elements, else one. */
  #value(depth: number): ConfigNode[] {
    const { kind, text, line } = this.#token;
    const at = { file: this.#file, line };
    if (depth > MOST_LEVELS) return this.#refuse(`at most ${MOST_LEVELS} levels`);
    switch (kind) {
      case "string":
        this.#next();
        return [{ kind: "text", text: JSON.parse(text) as string, at }];
      case "word":
        this.#next();
        return [{ kind: "text", text, at }];
      case "null":
        this.#next();
        return [{ kind: "text", text: undefined, at }];
      case "mark":
        if (text === "{") return [this.#object(depth)];
        if (text === "[") return this.#array(depth);
        return this.#refuse("a value");
      case "end":
        return this.#refuse("a value");
    }
  }

  #object(depth: number): ConfigBlock {
    const block = emptyBlock({ file: this.#file, line: this.#token.line });
    this.#list("}", () => {
      if (this.#token.kind !== "string") this.#refuse("a name in double quotes");
      const name = JSON.parse(this.#token.text) as string;
      if (name === "") this.#refuse("a name");
      if (block.entries.has(name)) this.#refuse("each name once in an object");
      this.#next();
      if (this.#token.text !== ":") this.#refuse('":"');
      this.#next();
      for (const node of this.#value(depth + 1)) addNode(block, name, node);
    });
    return block;
  }

  #array(depth: number): ConfigNode[] {
    const nodes: ConfigNode[] = [];
    this.#list("]", () => {
      if (this.#token.text === "[") this.#refuse("a value or an object");
      nodes.push(...this.#value(depth + 1));
    });
    return nodes;
  }

  /** What stands between the mark that is next and the one that ends it, with commas between. */
  #list(end: "}" | "]", element: () => void): void {
    this.#next();
    const isEnd = () => this.#token.kind === "mark" && this.#token.text === end;
    while (!isEnd()) {
      element();
      if (isEnd()) break;
      if (this.#token.text !== ",") this.#refuse(`"," or "${end}"`);
      this.#next();
      if (isEnd()) this.#refuse('no "," before the end');
    }
    this.#next();
  }

  #next(): void {
    this.#token = this.#read();
  }

  #read(): Token {
    tokens.lastIndex = this.#offset;
    const match = tokens.exec(this.#text);
    if (!match) {
      const space = /[ \t\r\n]*/y;
      space.lastIndex = this.#offset;
      this.#advance(this.#offset + (space.exec(this.#text)?.[0].length ?? 0));
      this.#token = { kind: "end", text: "", line: this.#line };
      if (this.#offset < this.#text.length) this.#refuse("JSON");
      return this.#token;
    }
    this.#advance(tokens.lastIndex);
    const [, string, word, nothing, mark] = match;
    const line = this.#line;
    if (string !== undefined) return { kind: "string", text: string, line };
    if (word !== undefined) return { kind: "word", text: word, line };
    return nothing !== undefined
      ? { kind: "null", text: nothing, line }
      : { kind: "mark", text: mark ?? "", line };
  }

  #advance(to: number): void {
    for (; this.#offset < to; this.#offset++) if (this.#text[this.#offset] === "\n") this.#line++;
  }

  /** What is there is not shown: it may be a secret. */
  #refuse(expected: string): never {
    const { kind, text, line } = this.#token;
    const isAtEnd = kind === "end" && this.#offset >= this.#text.length;
    const got = {
      string: "a string",
      word: "a value",
      null: "null",
      mark: text === "[" ? "a list" : text,
      end: isAtEnd ? "the end of the file" : "something else",
    };
    throw new ConfigError(
      [{ message: `Expected ${expected}, got ${got[kind]}`, at: { file: this.#file, line } }],
      {
        code: "CONFIG_BAD_FILE",
      },
    );
  }
}
