import { isUtf8 } from "node:buffer";
import { inspect } from "node:util";
import { DirqError, notRegular, refusal } from "./errors.js";
import { decodeTable, encodeTable, type Table } from "./table.js";

/** What an element of a normal queue consists of: `binary`, `string` and `table` fields by their names. */
export type Fields = Record<string, string | Buffer | Table>;

/** What can be added: as `Fields`, and any bytes as `binary`. */
export type FieldsToAdd = Readonly<Record<string, string | Uint8Array | Readonly<Table>>>;

/** The names and contents of an element's files. */
export type ElementFiles = readonly (readonly [name: string, data: string | Uint8Array])[];

type FieldType = "binary" | "string" | "table";

interface Field {
  readonly type: FieldType;
  readonly optional: boolean;
}

/** The directory in an element that says that it is locked; no field can have its name. */
export const LOCKED = "locked";

/** Whether a file in an element can be one of its fields, in whatever schema. */
export const isField = (name: string): boolean => /^[0-9a-zA-Z]+$/.test(name) && name !== LOCKED;

/**
 * The fields of a schema by name. A `*`, which in Perl is for passing data by reference, means nothing here.
 * @throws TypeError saying what is wrong with it
 */
export function parseSchema(schema: unknown): Map<string, Field> {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw new TypeError(refusal("schema", "an object of field names and types", schema));
  }
  const fields = new Map<string, Field>();
  for (const [name, specification] of Object.entries(schema) as [string, unknown][]) {
    if (!isField(name)) {
      throw new TypeError(
        `Expected the names in \`schema\` to be letters and digits, and not ${LOCKED}, got ${inspect(name)}`,
      );
    }
    const found =
      typeof specification === "string" && /^(binary|string|table)([?*]{0,2})$/.exec(specification);
    if (!found)
      throw new TypeError(refusal(`schema.${name}`, "binary, string or table, or with ?", specification));
    fields.set(name, { type: found[1] as FieldType, optional: found[2]!.includes("?") });
  }
  if (![...fields.values()].some(({ optional }) => !optional)) {
    throw new TypeError("Expected `schema` to have a field that is not optional");
  }
  return fields;
}

const isText = (value: unknown): value is string => typeof value === "string" && value.isWellFormed();

const isTable = (value: unknown): value is Table =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.entries(value).every(([key, text]) => isText(key) && isText(text));

/** Turns elements into the contents of files and back. */
export class Schema {
  /** Names of the fields, and whether they may be missing. */
  readonly fields: ReadonlyMap<string, Field>;
  /** The fields of every element, if none is optional. */
  readonly fixed: readonly string[] | undefined;

  /** @throws TypeError saying what is wrong with the schema */
  constructor(schema: unknown) {
    this.fields = parseSchema(schema);
    const isFixed = [...this.fields.values()].every(({ optional }) => !optional);
    this.fixed = isFixed ? [...this.fields.keys()] : undefined;
  }

  /**
   * The files of an element: names and contents.
   * @throws TypeError naming the field that is missing, unknown, or not of its type
   */
  encode(element: FieldsToAdd): ElementFiles {
    for (const [name, { optional }] of this.fields) {
      // What is inherited would not be written.
      if (!optional && (!Object.hasOwn(element, name) || element[name] === undefined)) {
        throw new TypeError(`Expected an element with the field \`${name}\``);
      }
    }
    return Object.entries(element)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => {
        const type = this.fields.get(name)?.type;
        if (type === "binary" && value instanceof Uint8Array) return [name, value];
        if (type === "string" && isText(value)) return [name, value];
        if (type === "table" && !(value instanceof Uint8Array) && isTable(value)) {
          return [name, encodeTable(value)];
        }
        // The value itself is not for an error's text: it may be long, or a secret.
        throw new TypeError(
          type
            ? `Expected the field \`${name}\` to be ${KINDS[type]}`
            : `Unknown field \`${name}\` of an element`,
        );
      });
  }

  /**
   * The element in the directory `path`, which has these files.
   * @throws DirqError DIRQ_BAD_DATA naming the file
   */
  decode(path: string, files: ReadonlyMap<string, Buffer | "foreign">): Fields {
    const element: Fields = {};
    for (const [name, { type, optional }] of this.fields) {
      const file = `${path}/${name}`;
      const data = files.get(name);
      if (data === "foreign") throw notRegular(file);
      if (data !== undefined) element[name] = decodeField(file, type, data);
      else if (!optional) throw new DirqError("DIRQ_BAD_DATA", `Expected an element with the field ${file}`);
    }
    return element;
  }
}

const KINDS = {
  binary: "a Buffer or Uint8Array",
  string: "a string without lone surrogates",
  table: "an object of strings without lone surrogates",
};

function decodeField(file: string, type: FieldType, data: Buffer): string | Buffer | Table {
  if (type === "binary") return data;
  if (!isUtf8(data)) throw new DirqError("DIRQ_BAD_DATA", `Expected ${file} to be UTF-8`);
  try {
    const text = data.toString();
    return type === "string" ? text : decodeTable(text);
  } catch (cause) {
    // As a string, too, it may be longer than Node can have it.
    throw new DirqError("DIRQ_BAD_DATA", `${file} is no ${type}: ${(cause as Error).message}`, { cause });
  }
}
