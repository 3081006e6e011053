/** Header fields by name; names and values are any strings. */
export type Header = Record<string, string>;

/** What makes headers: nothing is inherited from Object. */
const Fields = function () {} as unknown as new () => Header;
Fields.prototype = Object.create(null) as Header;

/**
 * A header without any field, not even an inherited one: a field may be called `constructor` or `__proto__`.
 * What `Object.create(null)` returns would do, but the engine keeps it as a hash table, which costs several times as
 * much to fill and to walk.
 */
export const emptyHeader = (): Header => new Fields();
