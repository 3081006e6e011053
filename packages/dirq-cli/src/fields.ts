import { DirqError, type Fields } from "@spoolwire/dirq";
import type { Properties } from "@spoolwire/program";

/** The JSON form of an element with fields: strings, tables as objects, bytes in base64. */
export function fieldsToJson(element: Fields): string {
  const fields = Object.entries(element).map(([name, field]) => [
    name,
    Buffer.isBuffer(field) ? field.toString("base64") : field,
  ]);
  return JSON.stringify(Object.fromEntries(fields));
}

/**
 * The inverse; the queue checks the fields themselves.
 * @throws DirqError DIRQ_BAD_DATA
 */
export function fieldsFromJson(json: Buffer, schema: Properties): Fields {
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch (cause) {
    throw new DirqError("DIRQ_BAD_DATA", `Expected a JSON object of fields: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DirqError("DIRQ_BAD_DATA", "Expected a JSON object of fields");
  }
  const fields = Object.entries(value).map(([name, field]: [string, unknown]) => {
    const isBytes = schema[name]?.startsWith("binary") && typeof field === "string";
    return [name, isBytes ? Buffer.from(field, "base64") : field];
  });
  return Object.fromEntries(fields) as Fields;
}
